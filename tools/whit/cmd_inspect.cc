// whit inspect: what is remarkable about weights of any framework, as text, JSON or a page.
#include <cstdio>

#include "tools/import/weights/weights.h"
#include "tools/inspect/report_page.h"
#include "tools/whit/inspect_text.h"
#include "tools/whit/progress.h"
#include "tools/whit/sensitivity.h"

namespace whit::tools {

namespace {

struct InspectFlags {
  std::string file, html;
  std::vector<std::string> data;
  InspectOrder order = InspectOrder::kFindings;
  size_t top = 20;
  bool json = false;
};

// Reports in the order of the file, each on stdout as soon as it is there where JSON is asked for.
class Inspection {
 public:
  explicit Inspection(const WeightFile& file, const InspectFlags& flags)
      : file_(file), flags_(flags) {
    report_.file = flags.file, report_.format = file.format();
  }

  // kRuntime where bytes are damaged; the report has the other tensors all the same.
  Status Run() {
    Progress progress("inspecting " + flags_.file);
    uint64_t all = 1, done = 0;
    for (const TensorEntry& e : file_.tensors()) all += e.bytes();
    if (flags_.json) {
      std::printf("{\"file\":%s,\"format\":%s,\"tensors\":[", Text(flags_.file).c_str(),
                  Text(file_.format()).c_str());
    }
    for (size_t i = 0; i < file_.tensors().size(); ++i) {
      const TensorEntry& entry = file_.tensors()[i];
      Add(ReportTensor(i));
      done += entry.bytes();
      report_.elements += static_cast<uint64_t>(entry.elements()), report_.bytes += entry.bytes();
      progress.Set(static_cast<double>(done) / static_cast<double>(all));
    }
    if (flags_.json) std::printf("],");
    if (damaged_.empty()) return OkStatus();
    return BadInput(flags_.file + ": " + damaged_ + "; the rest is reported");
  }

  // What of the JSON stands behind the tensors.
  void Close() const {
    Json json = {{"elements", report_.elements}, {"bytes", report_.bytes}};
    if (!flags_.data.empty()) json.update(SensitivityJson(report_));
    std::printf("%s\n",
                json.dump(-1, ' ', false, Json::error_handler_t::replace).substr(1).c_str());
  }

  FileReport& report() { return report_; }

 private:
  static std::string Text(const std::string& text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  TensorReport ReportTensor(size_t i) {
    const TensorEntry& entry = file_.tensors()[i];
    if (!entry.refused.empty()) return UnreadableReport(entry, entry.refused);
    auto bytes = file_.Read(i, &scratch_);
    if (!bytes.ok()) {
      if (damaged_.empty()) damaged_ = bytes.status().message();
      return UnreadableReport(entry, bytes.status().message());
    }
    TensorReport report = ReportOf(entry, *bytes, file_.format());
    file_.Drop(*bytes);
    return report;
  }

  void Add(TensorReport report) {
    if (flags_.json) {
      std::string json = TensorJson(report).dump(-1, ' ', false, Json::error_handler_t::replace);
      if (report.layout.axis >= 0) {
        json.pop_back();  // the object goes on with the channels
        std::printf("%s%s,\"by_channel\":", report_.tensors.empty() ? "" : ",", json.c_str());
        PrintChannels(report);
        std::printf("}");
      } else {
        std::printf("%s%s", report_.tensors.empty() ? "" : ",", json.c_str());
      }
    }
    report.DropChannels();
    report_.tensors.push_back(std::move(report));
  }

  const WeightFile& file_;
  const InspectFlags& flags_;
  FileReport report_;
  std::vector<std::byte> scratch_;
  std::string damaged_;  // why the first tensor that should be readable is not
};

Status RunInspect(const InspectFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const auto file, OpenWeights(flags.file));
  Inspection inspection(*file, flags);
  Status status = inspection.Run();
  if (!flags.data.empty() && status.ok())
    status = MeasureSensitivity(*file, flags.data, &inspection.report());
  if (flags.json)
    inspection.Close();
  else
    PrintReport(inspection.report(), flags.order, flags.top);
  if (!flags.html.empty())
    WHIT_RETURN_IF_ERROR(WriteReportPage(flags.html, PageJson(inspection.report())));
  return status;
}

}  // namespace

void AddInspect(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<InspectFlags>(
      app, action, "inspect",
      "What is remarkable about weights: dead channels, outliers, what int8 would cost",
      "whit inspect checkpoint.pth --html report.html", RunInspect);
  cli->add_option("FILE", flags->file,
                  "Weights: PyTorch, safetensors, ONNX, TFLite, Keras, NumPy, .whit")
      ->required();
  cli->add_option("--html", flags->html, "Write a page with charts: one file that needs no other");
  cli->add_option(
         "--data", flags->data,
         "Samples (.npy, pictures, folders; of several inputs NAME=FILE.npy each): how much "
         "the outputs of FILE, a .tflite, ONNX or .whit model, change with each of its "
         "weights")
      ->expected(1, 1000);
  const std::map<std::string, InspectOrder> orders = {
      {"findings", InspectOrder::kFindings}, {"file", InspectOrder::kFile},
      {"name", InspectOrder::kName},         {"size", InspectOrder::kSize},
      {"outliers", InspectOrder::kOutliers}, {"zeros", InspectOrder::kZeros},
      {"int8", InspectOrder::kInt8},         {"output", InspectOrder::kOutput}};
  cli->add_option("--sort", flags->order, "Order of the table")
      ->transform(CLI::CheckedTransformer(orders).description(
          "{findings,file,name,size,outliers,zeros,int8,output}"));
  cli->add_option("--top", flags->top, "Findings and tensors shown, at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  cli->add_flag("--json", flags->json, "One line of JSON, with every channel");
}

}  // namespace whit::tools
