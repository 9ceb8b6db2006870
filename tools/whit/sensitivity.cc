#include "tools/whit/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "platform/mapping.h"
#include "tools/import/import.h"
#include "tools/import/named_weights.h"
#include "tools/import/weights/formats.h"
#include "tools/inspect/perturbed_weights.h"
#include "tools/inspect/replaced_weights.h"
#include "tools/quantize/observe.h"
#include "tools/whit/progress.h"
#include "tools/whit/real_values.h"
#include "tools/whit/samples.h"

namespace whit::tools {

namespace {

// Outputs of all samples, in order.
using Outputs = std::vector<std::vector<double>>;

constexpr size_t kMostRemoved = 10;
// The output changes by a tenth of its size.
constexpr double kMuch = 20;

double NoiseOf(const Outputs& clean, const Outputs& changed, size_t outputs) {
  double least = std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < outputs; ++k) {
    double signal = 0, noise = 0;
    for (size_t i = k; i < clean.size(); i += outputs) {
      for (size_t j = 0; j < clean[i].size(); ++j) {
        const double y = clean[i][j], d = y - changed[i][j];
        // What was no number before says nothing; what becomes none is lost altogether.
        if (!std::isfinite(y)) continue;
        signal += y * y, noise += std::isfinite(d) ? d * d : y * y;
      }
    }
    if (noise > 0) least = std::min(least, 10 * std::log10(signal / noise));
  }
  return least;
}

class Sensitivity {
 public:
  Sensitivity(const WeightFile& weights, const std::vector<std::string>& samples,
              FileReport* report)
      : weights_(weights), paths_(samples), report_(*report) {}

  Status Run() {
    WHIT_ASSIGN_OR_RETURN(file_, Mapping::MapFile(report_.file));
    const std::span<const uint8_t> bytes = Bytes();
    if (ClaimsWhit(file_.bytes())) {
      WHIT_ASSIGN_OR_RETURN(whit_, ModelFile::Open(Mapping::Borrow(file_.bytes())));
    } else if (!LooksLikeModel(bytes)) {
      return UsageError("--data needs a model, .tflite, ONNX or .whit; " + report_.file + " is " +
                        report_.format);
    }
    const auto same = Perturb(weights_, 0, Perturbation::kNone);
    WHIT_RETURN_IF_ERROR(RunWith(*same, nullptr, &clean_).status());
    report_.sensitivity.resize(report_.tensors.size());
    Progress progress("perturbing " + report_.file);
    const auto count = static_cast<double>(report_.tensors.size() + 1);
    for (size_t i = 0; i < report_.tensors.size(); ++i) {
      progress.Set(static_cast<double>(i) / count);
      OutputNoise& noise = report_.sensitivity[i];
      WHIT_ASSIGN_OR_RETURN(noise.int8, Change(i, Perturbation::kInt8, 0));
      WHIT_ASSIGN_OR_RETURN(noise.int4, Change(i, Perturbation::kInt4, 0));
    }
    return Remove();
  }

 private:
  std::span<const uint8_t> Bytes() const {
    return {reinterpret_cast<const uint8_t*>(file_.data()), file_.size()};
  }

  // Nothing where the model has no use for the tensor, or keeps its own.
  Result<std::optional<double>> Change(size_t i, Perturbation how, size_t element) {
    if (!report_.tensors[i].unreadable.empty() || !CanPerturb(weights_.tensors()[i], how))
      return std::optional<double>();
    const auto other = Perturb(weights_, i, how, element);
    Outputs changed;
    WHIT_ASSIGN_OR_RETURN(const bool taken, RunWith(*other, &i, &changed));
    if (!taken) return std::optional<double>();
    return std::optional(NoiseOf(clean_, changed, outputs_));
  }

  // The model with other weights; nothing where it does not take the tensor that was changed.
  Result<std::optional<std::vector<std::byte>>> With(const WeightFile& other,
                                                     const size_t* changed) const {
    if (whit_ != nullptr) return Rewritten(other, changed);
    WHIT_ASSIGN_OR_RETURN(NamedWeights named, NamedWeights::Of(other));
    ImportOptions options;
    options.weights = &named;
    options.folder = std::filesystem::path(report_.file).parent_path() / ".";
    auto imported = ImportModelBytes(Bytes(), options);
    if (!imported.ok()) return Status(imported.status()).WithContext(report_.file);
    const WeightMatches matches = named.Matches();
    const auto is_changed = [&](const MatchedTensor& m) {
      return m.source == other.tensors()[*changed].name;
    };
    if (changed != nullptr && std::ranges::none_of(matches.matched, is_changed))
      return std::optional<std::vector<std::byte>>();
    return std::optional(std::move(imported).value());
  }

  Result<std::optional<std::vector<std::byte>>> Rewritten(const WeightFile& other,
                                                          const size_t* changed) const {
    const std::span<const std::byte> bytes = file_.bytes();
    if (changed == nullptr)
      return std::optional(std::vector<std::byte>(bytes.begin(), bytes.end()));
    // Packed weights are the first tensors of such a file, in their order.
    if (!CanReplaceWeights(*whit_, *changed)) return std::optional<std::vector<std::byte>>();
    std::vector<std::byte> scratch;
    WHIT_ASSIGN_OR_RETURN(const auto elements, other.Read(*changed, &scratch));
    auto replaced = ReplaceWeights(*whit_, *changed, elements);
    if (!replaced.ok()) return Status(replaced.status()).WithContext(report_.file);
    return std::optional(std::move(replaced).value());
  }

  // False where the model does not take the tensor that was changed.
  Result<bool> RunWith(const WeightFile& other, const size_t* changed, Outputs* outputs) {
    WHIT_ASSIGN_OR_RETURN(const auto bytes, With(other, changed));
    if (!bytes) return false;
    WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(*bytes));
    auto runner = Runner::Create(model);
    if (!runner.ok()) return Status(runner.status()).WithContext(report_.file);
    WHIT_ASSIGN_OR_RETURN(*outputs, RunOn(model, *runner));
    return true;
  }

  // The first model says in which form the samples are wanted; the others take the same.
  Status ReadSamples(const Model& model, Runner& runner) {
    std::vector<TensorView> inputs;
    for (size_t k = 0; k < runner.input_count(); ++k) inputs.push_back(runner.input(k));
    SampleFlags flags;
    flags.data = paths_;
    WHIT_ASSIGN_OR_RETURN(samples_, flags.ReadFor(model, inputs));
    return OkStatus();
  }

  Result<Outputs> RunOn(const Model& model, Runner& runner) {
    if (samples_.empty()) WHIT_RETURN_IF_ERROR(ReadSamples(model, runner));
    Outputs all;
    outputs_ = runner.output_count();
    for (const Sample& sample : samples_) {
      WHIT_RETURN_IF_ERROR(RunSample(runner, sample).WithContext(report_.file));
      for (size_t k = 0; k < outputs_; ++k) {
        WHIT_ASSIGN_OR_RETURN(std::vector<double> values, RealValues(runner.output(k)));
        all.push_back(std::move(values));
      }
    }
    return all;
  }

  // The candidates for super weights that score highest, one at a time.
  Status Remove() {
    std::vector<RemovedWeight> candidates;
    for (size_t i = 0; i < report_.tensors.size(); ++i) {
      for (const SuperWeight& w : report_.tensors[i].super_weights) candidates.push_back({i, w, 0});
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
      return a.weight.score() > b.weight.score();
    });
    if (candidates.size() > kMostRemoved)
      candidates.erase(candidates.begin() + kMostRemoved, candidates.end());
    for (RemovedWeight& removed : candidates) {
      WHIT_ASSIGN_OR_RETURN(const auto noise,
                            Change(removed.tensor, Perturbation::kRemove, removed.weight.element));
      if (!noise) continue;
      removed.noise = *noise;
      Tell(removed, &report_.tensors[removed.tensor].findings);
      report_.removed.push_back(removed);
    }
    return OkStatus();
  }

  static void Tell(const RemovedWeight& removed, std::vector<Finding>* findings) {
    const SuperWeight& w = removed.weight;
    char what[64], detail[96];
    if (std::isfinite(removed.noise))
      std::snprintf(what, sizeof what, "%.1f dB left of the output without one weight",
                    removed.noise);
    else
      std::snprintf(what, sizeof what, "no change of the output without one weight");
    std::snprintf(detail, sizeof detail, "%.5g in channel %zu, column %zu", w.value, w.channel,
                  w.column);
    const Severity severity = removed.noise < kMuch ? Severity::kLook : Severity::kRemark;
    const double share = std::min(1.0, std::pow(10, -removed.noise / 20));
    findings->push_back({"weight_removed", severity, share, what, detail});
    std::stable_sort(findings->begin(), findings->end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  }

  const WeightFile& weights_;
  const std::vector<std::string>& paths_;
  std::vector<Sample> samples_;
  FileReport& report_;
  Mapping file_;
  std::shared_ptr<const ModelFile> whit_;  // null: the model is of another format
  Outputs clean_;
  size_t outputs_ = 0;
};

}  // namespace

Status MeasureSensitivity(const WeightFile& weights, const std::vector<std::string>& samples,
                          FileReport* report) {
  return Sensitivity(weights, samples, report).Run();
}

}  // namespace whit::tools
