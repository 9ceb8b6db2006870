#include "tools/import/packing.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace whit::tools {

namespace {

template <typename T>
std::span<const T> As(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

Status CheckScales(Scope& l, const GraphTensor& t, int64_t n) {
  if (t.scale.size() != 1 && t.scale.size() != static_cast<size_t>(n)) {
    return l.Invalid("weights " + Scope::Label(t) + " have " + std::to_string(t.scale.size()) +
                     " scales, 1 or " + std::to_string(n) + " needed");
  }
  for (float s : t.scale) {
    if (!(s > 0) || !std::isfinite(s)) {
      return l.Invalid("weights " + Scope::Label(t) + ": scale " + std::to_string(s) +
                       ", must be finite and positive");
    }
  }
  for (int32_t z : t.zero_point) {
    if (z != t.zero_point[0])
      return l.Unsupported("weights " + Scope::Label(t) + " have several zero points");
  }
  return OkStatus();
}

// `T` values as a blob of the graph.
template <typename T>
int AddVector(Graph& graph, const std::vector<T>& values) {
  return values.empty() ? -1 : graph.AddArray(std::span<const T>(values));
}

std::string FormOf(const WeightArray& s) {
  std::string form;
  for (int64_t v :
       {int64_t{s.depthwise}, int64_t{s.transposed}, s.n, s.groups, s.runs, s.run_length}) {
    form += std::to_string(v) + "/";
  }
  for (int64_t v : s.shape) form += std::to_string(v) + ",";
  form.append(reinterpret_cast<const char*>(s.tensor->scale.data()),
              s.tensor->scale.size() * sizeof(float));
  for (int32_t z : s.tensor->zero_point) form += std::to_string(z) + ",";
  return form;
}

// Packed arrays of any layout as a record of the graph.
fbs::WeightsT Record(Graph& graph, const WeightArray& source, const PackedArrays& p) {
  fbs::WeightsT record;
  record.name = source.tensor->name;
  record.layout = static_cast<fbs::Layout>(p.layout);
  record.groups = static_cast<uint32_t>(p.groups);
  record.n = static_cast<uint32_t>(p.n);
  record.runs = static_cast<uint32_t>(p.runs);
  record.run_length = static_cast<uint32_t>(p.run_length);
  for (int64_t d : source.shape) record.shape.push_back(static_cast<uint32_t>(d));
  record.data = AddVector(graph, p.data);
  record.sums = AddVector(graph, p.sums);
  record.limits = AddVector(graph, p.limits);
  record.pair_flags = AddVector(graph, p.pair_flags);
  if (source.tensor->type == DType::kInt8) {
    record.scale = source.tensor->scale;
    record.zero_point = source.tensor->zero_point.empty() ? 0 : source.tensor->zero_point[0];
  }
  return record;
}

PackedArrays Pack(const WeightArray& s) {
  if (s.tensor->type == DType::kInt8) {
    return s.depthwise ? PackDw16I8(As<int8_t>(s.values), s.runs, s.n)
                       : PackPanel16I8(As<int8_t>(s.values), s.n, s.groups, s.runs, s.run_length);
  }
  return s.depthwise ? PackDw16F32(As<float>(s.values), s.runs, s.n)
                     : PackPanel16F32(As<float>(s.values), s.n, s.groups, s.runs, s.run_length);
}

// The bias as int64, zeros where there is none.
Result<std::vector<int64_t>> IntegerBias(Scope& l, int bias, int64_t n) {
  std::vector<int64_t> values(static_cast<size_t>(n));
  if (bias < 0) return values;
  const GraphTensor& t = l.tensor(bias);
  if (!t.is_const()) return l.Unsupported("the bias is computed at run time");
  if (t.shape.elements() != n) {
    return l.Invalid("bias " + Scope::Label(t) + " has " + std::to_string(t.shape.elements()) +
                     " elements, " + std::to_string(n) + " output channels");
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (t.type == DType::kInt32) {
      values[i] = t.values<int32_t>()[i];
    } else if (t.type == DType::kInt64) {
      values[i] = t.values<int64_t>()[i];
    } else {
      return l.Unsupported("bias " + Scope::Label(t) + " is " + DTypeName(t.type) +
                           ", must be int32 or int64");
    }
  }
  return values;
}

Result<int> FloatBias(Scope& l, int bias, int64_t n) {
  if (bias < 0) return -1;
  const GraphTensor& t = l.tensor(bias);
  if (!t.is_const()) return l.Unsupported("the bias is computed at run time");
  if (t.type != DType::kFloat32 || t.shape.elements() != n) {
    return l.Invalid("bias " + Scope::Label(t) + " is " + DTypeName(t.type) + t.shape.ToString() +
                     ", float32[" + std::to_string(n) + "] needed");
  }
  return l.graph().AddBlob(t.constant);
}

// Input scale * weight scale / output scale, one a channel.
Result<std::vector<float>> Multipliers(Scope& l, const GraphTensor& x, const fbs::WeightsT& w,
                                       const GraphTensor& out) {
  std::vector<float> m(w.n);
  for (size_t i = 0; i < m.size(); ++i) {
    const double scale = w.scale.size() == 1 ? w.scale[0] : w.scale[i];
    const float value =
        static_cast<float>(static_cast<double>(x.s()) * scale / static_cast<double>(out.s()));
    if (!std::isfinite(value)) {
      return l.Invalid("channel " + std::to_string(i) + ": multiplier is not finite");
    }
    // Below the normal range every product rounds to zero either way; the file demands > 0.
    m[i] = std::max(value, FLT_MIN);
  }
  return m;
}

}  // namespace

Result<ProductKind> KindOf(Scope& l, const GraphTensor& x, const GraphTensor& w,
                           const GraphTensor& out) {
  const std::string types =
      std::string(DTypeName(x.type)) + " x " + DTypeName(w.type) + " -> " + DTypeName(out.type);
  if (x.is_float() && out.is_float()) {
    if (w.is_float()) return ProductKind::kFloat;
    if (w.type == DType::kInt8 && w.quantized()) return ProductKind::kHybrid;
  } else if (w.type == DType::kInt8 && w.quantized()) {
    if (x.q8() && out.q8()) return ProductKind::kInt8;
    if (x.q16() && out.q16()) return ProductKind::kInt16;
  }
  return l.Unsupported("types " + types + " (8 and 16 bit need a scale and zero point)");
}

Result<int> AddWeights(Scope& l, const WeightArray& source) {
  WHIT_RETURN_IF_ERROR(l.state().work.Charge(source.tensor->scale.size()));
  const std::string form = FormOf(source);
  const auto known = l.state().packed.find({source.tensor->constant.get(), form});
  if (known != l.state().packed.end()) return known->second;

  WeightDims dims;
  const bool integer = source.tensor->type == DType::kInt8;
  dims.layout = source.depthwise ? (integer ? WeightLayout::kDw16I8 : WeightLayout::kDw16F32)
                                 : (integer ? WeightLayout::kPanel16I8 : WeightLayout::kPanel16F32);
  dims.groups = source.groups, dims.n = source.n, dims.runs = source.runs;
  dims.run_length = source.run_length;
  if (const char* error = WeightDimsError(dims)) {
    return l.Invalid("weights " + Scope::Label(*source.tensor) + ": " + error);
  }
  if (static_cast<int64_t>(source.values.size()) !=
      dims.n * dims.k() * static_cast<int64_t>(DTypeSize(source.tensor->type))) {
    return l.Invalid("weights " + Scope::Label(*source.tensor) + " have " +
                     std::to_string(source.values.size()) + " bytes, n " + std::to_string(dims.n) +
                     " by K " + std::to_string(dims.k()) + " expected");
  }
  if (integer) WHIT_RETURN_IF_ERROR(CheckScales(l, *source.tensor, source.n));
  Graph& graph = l.graph();
  graph.weights.push_back(Record(graph, source, Pack(source)));
  const int index = static_cast<int>(graph.weights.size()) - 1;
  l.state().packed[{source.tensor->constant.get(), form}] = index;
  return index;
}

Result<ProductBlobs> AddProductBlobs(Scope& l, ProductKind kind, const GraphTensor& x, int weights,
                                     int bias, const GraphTensor& out, bool fold) {
  Graph& graph = l.graph();
  const fbs::WeightsT& w = graph.weights[static_cast<size_t>(weights)];
  const int64_t n = w.n, k = static_cast<int64_t>(w.runs) * w.run_length;
  ProductBlobs blobs;
  if (kind == ProductKind::kFloat || kind == ProductKind::kHybrid) {
    WHIT_ASSIGN_OR_RETURN(blobs.bias, FloatBias(l, bias, n));
    if (kind == ProductKind::kFloat) return blobs;
    if (w.zero_point != 0)
      return l.Unsupported("float activations with weights that have a zero point");
    std::vector<float> scales(static_cast<size_t>(n), w.scale[0]);
    if (w.scale.size() > 1) scales = w.scale;
    blobs.multiplier = AddVector(graph, scales);
    return blobs;
  }

  WHIT_ASSIGN_OR_RETURN(std::vector<int64_t> b, IntegerBias(l, bias, n));
  WHIT_ASSIGN_OR_RETURN(const std::vector<float> m, Multipliers(l, x, w, out));
  blobs.multiplier = AddVector(graph, m);
  if (kind == ProductKind::kInt16) {
    if (x.z() != 0 || w.zero_point != 0 || out.z() != 0) {
      return l.Unsupported("int16 activations with a zero point that is not 0");
    }
    blobs.bias = AddVector(graph, b);
    return blobs;
  }
  int64_t largest = 0;
  for (int64_t v : b) largest = std::max(largest, v < 0 ? ~v : v);
  if (!AccumulatorFits(k, largest, w.zero_point != 0)) {
    return l.Unsupported("accumulators of 32 bits could overflow: K " + std::to_string(k) +
                         ", largest bias " + std::to_string(largest));
  }
  const SharedBytes& sums = graph.blobs[static_cast<size_t>(w.sums)];
  std::vector<int32_t> folded(b.size());
  for (size_t i = 0; i < b.size(); ++i) {
    int32_t sum = 0;
    std::memcpy(&sum, sums->data() + i * sizeof(sum), sizeof(sum));
    const int32_t value = static_cast<int32_t>(b[i]);  // AccumulatorFits: below 2^31
    folded[i] = fold ? FoldBias(value, sum, k, x.z(), w.zero_point) : value;
  }
  blobs.bias = AddVector(graph, folded);
  return blobs;
}

Result<Bytes> TransposedMatrix(Scope& l, std::span<const std::byte> values, int64_t rows,
                               int64_t cols, size_t size) {
  WHIT_RETURN_IF_ERROR(l.state().work.Charge(static_cast<uint64_t>(rows * cols)));
  Bytes out(values.size());
  const auto r = static_cast<size_t>(rows), c = static_cast<size_t>(cols);
  for (size_t i = 0; i < r; ++i) {
    for (size_t j = 0; j < c; ++j) {
      std::memcpy(out.data() + (j * r + i) * size, values.data() + (i * c + j) * size, size);
    }
  }
  return out;
}

}  // namespace whit::tools
