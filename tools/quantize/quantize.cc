#include "tools/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "platform/mapping.h"
#include "tools/import/emit.h"
#include "tools/import/load_graph.h"
#include "tools/quantize/quantizer.h"

namespace whit::tools {

namespace {

// Samples of which every tensor is compared with the float model's; all of them give the outputs.
constexpr size_t kComparedSamples = 16;
// Of float tensors kept for that comparison at a time.
constexpr size_t kMostKeptBytes = size_t{1} << 30;

double Decibel(double signal, double noise) {
  constexpr double kMost = 200;  // no noise at all
  if (!(noise > 0)) return kMost;
  return signal > 0 ? std::min(kMost, 10 * std::log10(signal / noise)) : 0;
}

struct Energy {
  double signal = 0, noise = 0;

  void Add(std::span<const float> real, std::span<const float> quantized) {
    for (size_t i = 0; i < real.size() && i < quantized.size(); ++i) {
      const double r = static_cast<double>(real[i]), e = static_cast<double>(quantized[i]) - r;
      signal += r * r, noise += e * e;
    }
  }
};

// Tensors are told apart by name here, so every name is made to stand once.
Result<std::vector<std::byte>> WithUniqueNames(std::span<const std::byte> whit) {
  WHIT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(Mapping::Borrow(whit)));
  WHIT_ASSIGN_OR_RETURN(Graph graph, LoadGraph(*file));
  std::set<std::string> seen;
  for (size_t t = 0; t < graph.tensors.size(); ++t) {
    std::string& name = graph.tensors[t].name;
    if (name.empty() || seen.count(name) != 0) name += "#" + std::to_string(t);
    seen.insert(name);
  }
  FileWriter writer;
  Emit(std::move(graph), &writer);
  return writer.Serialize();
}

Status CheckSamples(const Model& model, std::span<const Sample> samples) {
  for (size_t s = 0; s < samples.size(); ++s) {
    const auto inputs = model.inputs();
    bool fits = samples[s].inputs.size() == inputs.size();
    for (size_t i = 0; fits && i < inputs.size(); ++i)
      fits = samples[s].inputs[i].size() == BytesOfView(inputs[i]);
    if (!fits) {
      return Status(StatusCode::kInvalidArgument,
                    "sample " + std::to_string(s) + " does not fit the model's inputs");
    }
  }
  return OkStatus();
}

std::span<const float> Floats(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

using Tensors = std::map<std::string, std::vector<float>>;

class Run {
 public:
  Run(std::vector<std::byte> source, std::span<const Sample> samples,
      std::span<const Sample> others, const QuantizeOptions& options, QuantizeReport* report)
      : source_(std::move(source)),
        samples_(samples),
        others_(others.empty() ? samples : others),
        options_(options),
        report_(*report) {}

  Result<std::vector<std::byte>> Quantize() {
    WHIT_ASSIGN_OR_RETURN(file_, ModelFile::Open(Mapping::Borrow(source_)));
    WHIT_RETURN_IF_ERROR(CheckKept());
    WHIT_RETURN_IF_ERROR(Calibrate());
    Quantizer quantizer(*file_, calibration_, samples_.size(), options_);
    WHIT_ASSIGN_OR_RETURN(std::vector<std::byte> result, quantizer.Run(&report_.layers));
    WHIT_RETURN_IF_ERROR(CompareLayers(result));
    WHIT_RETURN_IF_ERROR(CompareOutputs(result));
    return result;
  }

 private:
  void Progress(double share) const {
    if (options_.progress) options_.progress(share);
  }

  // A name that is nobody's is a slip that would quantize what shall not be.
  Status CheckKept() const {
    const auto& operators = *file_->main_subgraph().operators();
    for (const std::string& pattern : options_.keep) {
      bool met = false;
      for (const fbs::Operator* op : operators)
        met = met || KeptBy(pattern, op->name() == nullptr ? "" : op->name()->str());
      if (met) continue;
      return Status(StatusCode::kInvalidArgument,
                    "no operator has the name '" + Shown(pattern) +
                        "' that shall stay float; whit info --json and whit plan show the names");
    }
    return OkStatus();
  }

  Status Calibrate() {
    WHIT_ASSIGN_OR_RETURN(Observer observer, Observer::Create(source_, options_.threads));
    const auto& inputs = *file_->signature().inputs();
    for (size_t s = 0; s < samples_.size(); ++s) {
      for (unsigned i = 0; i < inputs.size(); ++i) {
        const fbs::Tensor& t = *file_->main_subgraph().tensors()->Get(inputs.Get(i)->tensor());
        if (t.type() != fbs::DType::float32) continue;
        const std::string name = t.name()->str();
        const size_t rank = t.shape() == nullptr ? 0 : t.shape()->size();
        const size_t channels = rank == 0 ? 1 : t.shape()->Get(static_cast<unsigned>(rank - 1));
        calibration_[name].Add({name, Floats(samples_[s].inputs[i]), channels});
      }
      WHIT_RETURN_IF_ERROR(
          observer.Run(samples_[s], [&](const Observed& t) { calibration_[t.name].Add(t); }));
      Progress(0.7 * static_cast<double>(s + 1) / static_cast<double>(samples_.size()));
    }
    for (const auto& [name, stats] : calibration_) {
      if (stats.histogram.not_finite() == 0) continue;
      return Status(StatusCode::kInvalidArgument,
                    "tensor '" + name + "': " + std::to_string(stats.histogram.not_finite()) +
                        " values on the samples are infinite or no number");
    }
    return OkStatus();
  }

  // The noise of every node's result, by the name that both models have for it.
  Status CompareLayers(std::span<const std::byte> result) {
    std::map<std::string, Energy> energy;
    {
      WHIT_ASSIGN_OR_RETURN(Observer real, Observer::Create(source_, options_.threads));
      WHIT_ASSIGN_OR_RETURN(Observer codes, Observer::Create(result, options_.threads));
      const size_t count = std::min(kComparedSamples, others_.size());
      for (size_t s = 0; s < count; ++s) {
        Tensors kept;
        size_t bytes = 0;
        WHIT_RETURN_IF_ERROR(real.Run(others_[s], [&](const Observed& t) {
          bytes += t.values.size_bytes();
          if (bytes <= kMostKeptBytes) kept[t.name].assign(t.values.begin(), t.values.end());
        }));
        WHIT_RETURN_IF_ERROR(codes.Run(others_[s], [&](const Observed& t) {
          const auto found = kept.find(t.name);
          if (found != kept.end()) energy[t.name].Add(found->second, t.values);
        }));
        Progress(0.7 + 0.2 * static_cast<double>(s + 1) / static_cast<double>(count));
      }
    }
    const auto* operators = file_->main_subgraph().operators();
    for (unsigned n = 0; n < report_.layers.size(); ++n) {
      const auto* outputs = operators->Get(n)->outputs();
      if (outputs == nullptr || outputs->size() == 0 || outputs->Get(0) < 0) continue;
      const auto t = static_cast<unsigned>(outputs->Get(0));
      const auto e = energy.find(file_->main_subgraph().tensors()->Get(t)->name()->str());
      if (e != energy.end()) report_.layers[n].sqnr_db = Decibel(e->second.signal, e->second.noise);
    }
    return OkStatus();
  }

  // Both models as a caller sees them, on all samples.
  Status CompareOutputs(std::span<const std::byte> result) {
    report_.compared = others_.size();
    WHIT_ASSIGN_OR_RETURN(const Model real_model, Model::OpenBytes(source_));
    WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(result));
    RunnerOptions options;
    options.threads = options_.threads;
    WHIT_ASSIGN_OR_RETURN(Runner real, Runner::Create(real_model, options));
    WHIT_ASSIGN_OR_RETURN(Runner codes, Runner::Create(model, options));
    Energy energy;
    size_t same = 0;
    bool classes = true;
    for (size_t s = 0; s < others_.size(); ++s) {
      WHIT_ASSIGN_OR_RETURN(const auto a, OutputsOf(real, others_[s]));
      WHIT_ASSIGN_OR_RETURN(const auto b, OutputsOf(codes, others_[s]));
      for (size_t i = 0; i < a.size(); ++i) energy.Add(a[i], b[i]);
      const auto top = [](const std::vector<float>& v) {
        return std::max_element(v.begin(), v.end()) - v.begin();
      };
      classes = classes && !a.empty() && a[0].size() > 1;
      same += classes && top(a[0]) == top(b[0]) ? 1 : 0;
      Progress(0.9 + 0.1 * static_cast<double>(s + 1) / static_cast<double>(others_.size()));
    }
    report_.output_sqnr_db = Decibel(energy.signal, energy.noise);
    if (classes) report_.same_top = same;
    return OkStatus();
  }

  // As real numbers.
  static Result<std::vector<std::vector<float>>> OutputsOf(Runner& runner, const Sample& sample) {
    WHIT_RETURN_IF_ERROR(RunSample(runner, sample));
    std::vector<std::vector<float>> outputs;
    for (size_t i = 0; i < runner.output_count(); ++i) {
      outputs.emplace_back();
      ToReal(runner.output(i), &outputs.back());
    }
    return outputs;
  }

  std::vector<std::byte> source_;
  std::span<const Sample> samples_, others_;
  const QuantizeOptions& options_;
  QuantizeReport& report_;
  std::shared_ptr<const ModelFile> file_;
  Calibration calibration_;
};

}  // namespace

Result<std::vector<std::byte>> QuantizeModel(std::span<const std::byte> whit,
                                             std::span<const Sample> samples,
                                             std::span<const Sample> others,
                                             const QuantizeOptions& options,
                                             QuantizeReport* report) {
  WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(whit));
  if (samples.empty()) {
    return Status(StatusCode::kInvalidArgument,
                  "there is no sample: ranges of activations come from data");
  }
  WHIT_RETURN_IF_ERROR(CheckSamples(model, samples));
  WHIT_RETURN_IF_ERROR(CheckSamples(model, others));
  WHIT_ASSIGN_OR_RETURN(std::vector<std::byte> source, WithUniqueNames(whit));
  *report = {};
  return Run(std::move(source), samples, others, options, report).Quantize();
}

}  // namespace whit::tools
