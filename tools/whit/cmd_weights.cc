// whit weights: what is in files of weights of any framework, how two differ, and the same in
// another format.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "tools/import/weights/rename.h"
#include "tools/import/weights/tensor_summary.h"
#include "tools/import/weights/weights.h"
#include "tools/import/weights/write_weights.h"
#include "tools/whit/command.h"
#include "tools/whit/progress.h"

namespace whit::tools {

namespace {

struct WeightsFlags {
  std::string a, b, out;
  std::vector<std::string> rename;
  double tolerance = 0;
  bool json = false, skip_refused = false;
};

Json EntryJson(const TensorEntry& entry) {
  Json json = {{"name", entry.name},
               {"type", ElementName(entry.type)},
               {"shape", entry.shape},
               {"bytes", entry.bytes()}};
  if (!entry.refused.empty()) json["refused"] = entry.refused;
  if (!entry.codes.empty()) {
    json["scale"] = entry.codes.scale, json["zero_point"] = entry.codes.zero_point;
    if (entry.codes.axis >= 0) json["axis"] = entry.codes.axis;
  }
  return json;
}

int NameWidth(const WeightFile& file) {
  size_t width = 4;
  for (const TensorEntry& e : file.tensors()) width = std::max(width, e.name.size());
  return static_cast<int>(std::min<size_t>(width, 60));
}

Status RunList(const WeightsFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const auto file, OpenWeights(flags.a));
  uint64_t bytes = 0, elements = 0;
  for (const TensorEntry& e : file->tensors()) {
    bytes += e.bytes(), elements += static_cast<uint64_t>(e.elements());
  }
  if (flags.json) {
    Json tensors = Json::array(), metadata = Json::object();
    for (const TensorEntry& e : file->tensors()) tensors.push_back(EntryJson(e));
    for (const auto& [key, value] : file->metadata()) metadata[key] = value;
    PrintJson({{"file", flags.a},
               {"format", file->format()},
               {"elements", elements},
               {"bytes", bytes},
               {"metadata", metadata},
               {"tensors", tensors}});
    return OkStatus();
  }
  const int width = NameWidth(*file);
  for (const TensorEntry& e : file->tensors()) {
    std::printf("%-*s  %-9s %-16s %10s%s%s\n", width, Printable(e.name).c_str(),
                ElementName(e.type), e.ShapeText().c_str(), HumanBytes(e.bytes()).c_str(),
                e.codes.empty() ? "" : "  quantized",
                e.refused.empty() ? "" : ("  not readable: " + Printable(e.refused)).c_str());
  }
  std::printf("%s: %s, %zu tensors, %s elements, %s\n", flags.a.c_str(), file->format().c_str(),
              file->tensors().size(), HumanCount(elements).c_str(), HumanBytes(bytes).c_str());
  return OkStatus();
}

Status RunStats(const WeightsFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const auto file, OpenWeights(flags.a));
  Json tensors = Json::array();
  const int width = NameWidth(*file);
  if (!flags.json) {
    std::printf("%-*s  %-9s %-16s %11s %11s %11s %11s %7s\n", width, "name", "type", "shape", "min",
                "max", "mean", "deviation", "zeros");
  }
  std::vector<std::byte> scratch;
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    const TensorEntry& e = file->tensors()[i];
    if (!e.refused.empty()) {
      if (flags.json)
        tensors.push_back(EntryJson(e));
      else
        std::printf("%-*s  not readable: %s\n", width, Printable(e.name).c_str(),
                    Printable(e.refused).c_str());
      continue;
    }
    WHIT_ASSIGN_OR_RETURN(const auto bytes, file->Read(i, &scratch));
    const TensorSummary s = Summarize(e, bytes);
    file->Drop(bytes);
    if (flags.json) {
      Json json = EntryJson(e);
      json["elements"] = s.elements, json["sum"] = Number(s.sum), json["mean"] = Number(s.mean);
      json["deviation"] = Number(s.deviation), json["min"] = s.min, json["max"] = s.max;
      json["zeros"] = s.zeros, json["not_finite"] = s.not_finite;
      tensors.push_back(std::move(json));
      continue;
    }
    const double zeros =
        s.elements == 0 ? 0
                        : 100.0 * static_cast<double>(s.zeros) / static_cast<double>(s.elements);
    std::printf("%-*s  %-9s %-16s %11.5g %11.5g %11.4g %11.4g %6.1f%%", width,
                Printable(e.name).c_str(), ElementName(e.type), e.ShapeText().c_str(), s.min, s.max,
                s.mean, s.deviation, zeros);
    if (s.not_finite > 0) std::printf("  %lld not finite", static_cast<long long>(s.not_finite));
    std::printf("\n");
  }
  if (flags.json) PrintJson({{"file", flags.a}, {"format", file->format()}, {"tensors", tensors}});
  return OkStatus();
}

// What `diff` has found.
struct Found {
  Json same = Json::array(), differing = Json::array(), only_a = Json::array(),
       only_b = Json::array(), shapes = Json::array();
};

Status DiffTensor(const WeightFile& a, size_t i, const WeightFile& b, size_t j,
                  const WeightsFlags& flags, Found* found) {
  const TensorEntry &x = a.tensors()[i], &y = b.tensors()[j];
  if (x.shape != y.shape) {
    found->shapes.push_back({{"name", x.name}, {"a", x.ShapeText()}, {"b", y.ShapeText()}});
    return OkStatus();
  }
  std::vector<std::byte> scratch_a, scratch_b;
  WHIT_ASSIGN_OR_RETURN(const auto bytes_a, a.Read(i, &scratch_a));
  WHIT_ASSIGN_OR_RETURN(const auto bytes_b, b.Read(j, &scratch_b));
  const TensorDifference d = Compare(x, bytes_a, y, bytes_b);
  a.Drop(bytes_a), b.Drop(bytes_b);
  if (d.same_bytes || d.largest <= flags.tolerance) {
    found->same.push_back(x.name);
    return OkStatus();
  }
  found->differing.push_back({{"name", x.name},
                              {"shape", x.shape},
                              {"elements", d.differing},
                              {"largest", Number(d.largest)},
                              {"relative", Number(d.relative)},
                              {"signal_to_noise_db", Number(d.signal_to_noise)}});
  return OkStatus();
}

double NumberOf(const Json& json) { return json.is_null() ? INFINITY : json.get<double>(); }

void PrintFound(const Found& f) {
  for (const Json& d : f.differing) {
    std::printf("differs  %-50s largest %-10.4g relative %-10.4g %.1f dB, %lld elements\n",
                Printable(d["name"].get<std::string>()).c_str(), NumberOf(d["largest"]),
                NumberOf(d["relative"]), NumberOf(d["signal_to_noise_db"]),
                static_cast<long long>(d["elements"].get<int64_t>()));
  }
  for (const Json& s : f.shapes) {
    std::printf("shape    %-50s %s, in B %s\n", Printable(s["name"].get<std::string>()).c_str(),
                s["a"].get<std::string>().c_str(), s["b"].get<std::string>().c_str());
  }
  for (const Json& n : f.only_a)
    std::printf("only A   %s\n", Printable(n.get<std::string>()).c_str());
  for (const Json& n : f.only_b)
    std::printf("only B   %s\n", Printable(n.get<std::string>()).c_str());
  std::printf(
      "%zu tensors are the same, %zu differ, %zu have another shape, %zu only in A, %zu only in "
      "B\n",
      f.same.size(), f.differing.size(), f.shapes.size(), f.only_a.size(), f.only_b.size());
}

Status RunDiff(const WeightsFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const RenameRules rename, RenameRules::Parse(flags.rename));
  WHIT_ASSIGN_OR_RETURN(const auto a, OpenWeights(flags.a));
  WHIT_ASSIGN_OR_RETURN(const auto b, OpenWeights(flags.b));
  std::unordered_map<std::string, size_t> in_b;
  for (size_t j = 0; j < b->tensors().size(); ++j) in_b.emplace(b->tensors()[j].name, j);
  Found found;
  {
    Progress progress("comparing");
    for (size_t i = 0; i < a->tensors().size(); ++i) {
      progress.Set(static_cast<double>(i) / static_cast<double>(a->tensors().size()));
      const auto match = in_b.find(rename(a->tensors()[i].name));
      if (match == in_b.end()) {
        found.only_a.push_back(a->tensors()[i].name);
        continue;
      }
      WHIT_RETURN_IF_ERROR(DiffTensor(*a, i, *b, match->second, flags, &found));
      in_b.erase(match);
    }
  }
  for (const TensorEntry& e : b->tensors()) {
    if (in_b.contains(e.name)) found.only_b.push_back(e.name);
  }
  const size_t other =
      found.differing.size() + found.shapes.size() + found.only_a.size() + found.only_b.size();
  if (flags.json) {
    PrintJson({{"a", flags.a},
               {"b", flags.b},
               {"same", found.same},
               {"differing", found.differing},
               {"shapes", found.shapes},
               {"only_a", found.only_a},
               {"only_b", found.only_b}});
  } else {
    PrintFound(found);
  }
  if (other == 0) return OkStatus();
  return BadInput("the files differ in " + std::to_string(other) + " tensors");
}

Status RunConvert(const WeightsFlags& flags) {
  const std::string extension = std::filesystem::path(flags.out).extension();
  if (extension != ".safetensors" && extension != ".npz")
    return UsageError("-o " + flags.out +
                      ": must end with .safetensors or .npz, which says the format");
  WHIT_ASSIGN_OR_RETURN(const RenameRules rename, RenameRules::Parse(flags.rename));
  WHIT_ASSIGN_OR_RETURN(const auto file, OpenWeights(flags.a));
  WeightSelection selection;
  selection.file = file.get();
  std::set<std::string> names;
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    const TensorEntry& e = file->tensors()[i];
    if (!e.refused.empty()) {
      if (!flags.skip_refused)
        return BadInput(e.name + ": " + e.refused + "; --skip-unreadable leaves it out");
      continue;
    }
    selection.tensors.push_back(i), selection.names.push_back(rename(e.name));
    if (!names.insert(selection.names.back()).second)
      return UsageError("--rename makes two tensors '" + selection.names.back() + "'");
  }
  {
    Progress progress("writing " + flags.out);
    selection.progress = [&](double share) { progress.Set(share); };
    WHIT_RETURN_IF_ERROR(extension == ".npz" ? WriteNpz(selection, flags.out)
                                             : WriteSafetensors(selection, flags.out));
  }
  if (flags.json) {
    PrintJson({{"file", flags.out}, {"tensors", selection.tensors.size()}});
  } else {
    std::error_code error;
    std::printf("%s: %zu tensors, %s\n", flags.out.c_str(), selection.tensors.size(),
                HumanBytes(std::filesystem::file_size(flags.out, error)).c_str());
  }
  return OkStatus();
}

}  // namespace

void AddWeights(CLI::App& app, Action* action) {
  CLI::App* weights = app.add_subcommand(
      "weights",
      "Tensors of a file of weights: PyTorch, safetensors, ONNX, TFLite, Keras, NumPy, .whit");
  weights->require_subcommand(1);
  weights->footer("Example:\n  whit weights list checkpoint.pth");
  const auto add = [&](const char* name, const char* what, const char* example,
                       Status (*run)(const WeightsFlags&)) {
    auto [cli, flags] = AddCommand<WeightsFlags>(*weights, action, name, what, example, run);
    cli->add_flag("--json", flags->json, "One line of JSON");
    return std::pair(cli, flags);
  };
  auto [list, list_flags] =
      add("list", "Names, types, shapes", "whit weights list model.pth", RunList);
  list->add_option("FILE", list_flags->a, "A file of weights")->required();
  auto [stats, stats_flags] = add("stats", "Range, mean, deviation of every tensor",
                                  "whit weights stats model.pth", RunStats);
  stats->add_option("FILE", stats_flags->a, "A file of weights")->required();
  auto [diff, diff_flags] =
      add("diff", "How two files differ, across formats; exit status 2 where they do",
          "whit weights diff model.pth model.onnx --rename 'module.=>'", RunDiff);
  diff->add_option("A", diff_flags->a, "A file of weights")->required();
  diff->add_option("B", diff_flags->b, "Another")->required();
  diff->add_option("--rename", diff_flags->rename, kRenameHelp)->allow_extra_args(false);
  diff->add_option("--tolerance", diff_flags->tolerance, "Differences up to this are none");
  auto [convert, convert_flags] =
      add("convert", "To .safetensors or .npz, one tensor in memory at a time",
          "whit weights convert model.pth -o model.safetensors", RunConvert);
  convert->add_option("FILE", convert_flags->a, "A file of weights")->required();
  convert->add_option("-o,--out", convert_flags->out, "The file to write: .safetensors or .npz")
      ->required();
  convert->add_option("--rename", convert_flags->rename, kRenameHelp)->allow_extra_args(false);
  convert->add_flag("--skip-unreadable", convert_flags->skip_refused,
                    "Leave out tensors that cannot be read (sparse, strings)");
}

}  // namespace whit::tools
