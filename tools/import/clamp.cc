#include "tools/import/clamp.h"

#include <algorithm>
#include <cmath>

namespace whit::tools {

namespace {

// The lo and hi of a node that has a fused clamp, or nulls.
struct ClampFields {
  float* lo = nullptr;
  float* hi = nullptr;
};

template <typename T>
ClampFields FieldsOf(GraphNode& node) {
  T* o = NodeOptions<T>(node);
  return {&o->lo, &o->hi};
}

ClampFields ClampOf(GraphNode& node) {
  switch (node.type) {
    case OpType::kConv2D:
    case OpType::kDepthwiseConv2D:
    case OpType::kTransposeConv2D:
      return FieldsOf<fbs::ConvOptionsT>(node);
    case OpType::kFullyConnected:
      return FieldsOf<fbs::FullyConnectedOptionsT>(node);
    case OpType::kBatchMatMul:
      return FieldsOf<fbs::BatchMatMulOptionsT>(node);
    case OpType::kAdd:
    case OpType::kSub:
    case OpType::kMul:
    case OpType::kDiv:
      return FieldsOf<fbs::BinaryOptionsT>(node);
    case OpType::kAveragePool2D:
    case OpType::kMaxPool2D:
      return FieldsOf<fbs::PoolOptionsT>(node);
    default:
      return {};
  }
}

}  // namespace

Clamp StoredClamp(const GraphTensor& t, float lo, float hi) {
  if (!t.per_tensor()) return {lo, hi};
  // Bounds become stored values by the rule of the source format: nearest, ties away from zero.
  const auto stored = [&](float real) {
    return std::isinf(real) ? real : static_cast<float>(t.z()) + std::round(real / t.s());
  };
  const bool narrow = t.type == DType::kInt8;
  const float type_lo = narrow ? -128.0f : -32768.0f, type_hi = narrow ? 127.0f : 32767.0f;
  if (t.type != DType::kInt8 && t.type != DType::kInt16) return {lo, hi};
  Clamp c{stored(lo), stored(hi)};
  if (!std::isinf(c.lo)) c.lo = std::clamp(c.lo, type_lo, type_hi);
  if (!std::isinf(c.hi)) c.hi = std::clamp(c.hi, type_lo, type_hi);
  return c;
}

bool FuseClamp(ImportState& state, int in, int out, float lo, float hi) {
  return FuseStoredClamp(state, in, out,
                         StoredClamp(state.graph.tensors[static_cast<size_t>(in)], lo, hi));
}

bool FuseStoredClamp(ImportState& state, int in, int out, const Clamp& clamp) {
  const int producer = state.producer[static_cast<size_t>(in)];
  if (producer < 0) return false;
  Graph& graph = state.graph;
  const GraphTensor& t = graph.tensors[static_cast<size_t>(in)];
  const GraphTensor& target = graph.tensors[static_cast<size_t>(out)];
  if (!t.is_float() && !((t.q8() || t.q16()) && t.SameQuant(target))) return false;
  GraphNode& node = graph.nodes[static_cast<size_t>(producer)];
  const ClampFields fields = ClampOf(node);
  if (fields.lo == nullptr) return false;
  const float lo = std::max(*fields.lo, clamp.lo), hi = std::min(*fields.hi, clamp.hi);
  if (!(lo <= hi)) return false;
  *fields.lo = lo, *fields.hi = hi;
  node.outputs[0] = out;
  state.producer[static_cast<size_t>(out)] = producer;
  return true;
}

}  // namespace whit::tools
