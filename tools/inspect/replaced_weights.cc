#include "tools/inspect/replaced_weights.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/pack.h"
#include "schema/writer.h"

namespace whit::tools {

namespace {

using Layout = PackedWeights::Layout;

// Where an operator says which weights it takes.
struct Product {
  int* weights = nullptr;
  int* bias = nullptr;
  bool folded = false;  // the input's zero point, into the bias: not of transposed convolutions
};

Product ProductOf(fbs::OptionsUnion& options) {
  if (auto* o = options.AsConv2D()) return {&o->weights, &o->bias, true};
  if (auto* o = options.AsDepthwiseConv2D()) return {&o->weights, &o->bias, true};
  if (auto* o = options.AsTransposeConv2D()) return {&o->weights, &o->bias, false};
  if (auto* o = options.AsFullyConnected()) return {&o->weights, &o->bias, true};
  return {};
}

bool HasRecurrent(const ModelFile& file) {
  for (const fbs::Subgraph* graph : *file.graph().subgraphs()) {
    if (graph->operators() == nullptr) continue;
    for (const fbs::Operator* op : *graph->operators()) {
      if (op->options_as_Lstm() != nullptr || op->options_as_Svdf() != nullptr) return true;
    }
  }
  return false;
}

template <typename T>
std::vector<T> Typed(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

PackedArrays Pack(const fbs::Weights& w, std::span<const std::byte> elements) {
  switch (static_cast<Layout>(w.layout())) {
    case Layout::kPanel16I8:
      return PackPanel16I8(Typed<int8_t>(elements), w.n(), w.groups(), w.runs(), w.run_length());
    case Layout::kPanel16F32:
      return PackPanel16F32(Typed<float>(elements), w.n(), w.groups(), w.runs(), w.run_length());
    case Layout::kDw16I8:
      return PackDw16I8(Typed<int8_t>(elements), int64_t{w.runs()} * w.run_length(), w.n());
    case Layout::kDw16F32:
      break;
  }
  return PackDw16F32(Typed<float>(elements), int64_t{w.runs()} * w.run_length(), w.n());
}

class Replacement {
 public:
  explicit Replacement(const ModelFile& file) : file_(file) {
    file.graph().UnPackTo(&writer_.graph);
  }

  Result<std::vector<std::byte>> Run(size_t i, std::span<const std::byte> elements) {
    for (size_t k = 0; k < file_.blob_count(); ++k) {
      if (writer_.AddBlob(file_.blob(k)) == static_cast<int>(k)) continue;
      return Status(StatusCode::kUnsupported,
                    "blob " + std::to_string(k) +
                        " equals one before it, as whit import never "
                        "writes them: the weights cannot be replaced; import the model anew");
    }
    fbs::WeightsT& w = *writer_.graph.weights[i];
    const PackedArrays packed =
        Pack(*file_.graph().weights()->Get(static_cast<uint32_t>(i)), elements);
    if (w.sums >= 0) before_ = Typed<int32_t>(writer_.blob(w.sums));
    Put(packed.data, &w.data), Put(packed.sums, &w.sums);
    Put(packed.limits, &w.limits), Put(packed.pair_flags, &w.pair_flags);
    for (const auto& graph : writer_.graph.subgraphs) {
      for (const auto& op : graph->operators) Refold(*graph, *op, i, packed.sums);
    }
    return writer_.Serialize();
  }

 private:
  // What a record has, as a blob of its own: others may share the one before.
  template <typename T>
  void Put(const std::vector<T>& values, int* blob) {
    if (*blob >= 0) *blob = writer_.AddBlobOf(std::span<const T>(values));
  }

  // bias - zx * (new sum - old sum), in two's complement as it was folded (kernels/pack.h,
  // FoldBias).
  void Refold(const fbs::SubgraphT& graph, fbs::OperatorT& op, size_t i,
              const std::vector<int32_t>& after) {
    const Product p = ProductOf(op.options);
    if (!p.folded || *p.weights != static_cast<int>(i) || *p.bias < 0 || before_.empty()) return;
    // A file's structure says nothing about how many inputs an operator has; Model::Open does.
    if (op.inputs.empty() || op.inputs[0] < 0) return;
    const fbs::TensorT& x = *graph.tensors[static_cast<size_t>(op.inputs[0])];
    if (x.type != fbs::DType::int8 || x.quantization == nullptr) return;
    if (x.quantization->zero_point.empty()) return;
    const auto zx = static_cast<uint32_t>(x.quantization->zero_point[0]);
    std::vector<uint32_t> bias = Typed<uint32_t>(writer_.blob(*p.bias));
    for (size_t c = 0; c < std::min({bias.size(), before_.size(), after.size()}); ++c)
      bias[c] -= zx * (static_cast<uint32_t>(after[c]) - static_cast<uint32_t>(before_[c]));
    *p.bias = writer_.AddBlobOf(std::span<const uint32_t>(bias));
  }

  const ModelFile& file_;
  FileWriter writer_;
  std::vector<int32_t> before_;  // sums; empty: floats
};

}  // namespace

bool CanReplaceWeights(const ModelFile& file, size_t i) {
  const auto* weights = file.graph().weights();
  if (weights == nullptr || i >= weights->size()) return false;
  const auto layout = static_cast<Layout>(weights->Get(static_cast<uint32_t>(i))->layout());
  if (layout == Layout::kPanel16F32 || layout == Layout::kDw16F32) return true;
  return !HasRecurrent(file);
}

Result<std::vector<std::byte>> ReplaceWeights(const ModelFile& file, size_t i,
                                              std::span<const std::byte> elements) {
  return Replacement(file).Run(i, elements);
}

}  // namespace whit::tools
