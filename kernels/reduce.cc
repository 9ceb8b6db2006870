// Mean, Sum, ReduceMax, ReduceMin, ReduceProd, ReduceAny, ReduceAll over any set of axes.
#include "kernels/reduce.h"

#include <cmath>
#include <limits>

#include "kernels/options.h"

namespace whit {

const char* const kTypesMean = "float32 int8 uint8 int16 int32 int64";
const char* const kTypesSum = "float32 int8 uint8 int16 int32 int64";
const char* const kTypesReduceMax = "float32 int8 uint8 int16 int32 int64";
const char* const kTypesReduceMin = "float32 int8 uint8 int16 int32 int64";
const char* const kTypesReduceProd = "float32 int32 int64";
const char* const kTypesReduceAny = "bool";
const char* const kTypesReduceAll = "bool";

ReduceGeometry::ReduceGeometry(const Shape& x, unsigned mask) {
  const auto strides = RowMajorStrides(x);
  int previous = -1;  // kind of the axis before: 0 kept, 1 reduced
  for (int a = 0; a < x.rank(); ++a) {
    const int kind = static_cast<int>(mask >> a & 1u);
    if (kind == 1) count *= x[a];
    if (x[a] == 1) continue;
    auto& dims = kind == 1 ? reduced : kept;
    auto& steps_of = kind == 1 ? reduced_stride : kept_stride;
    size_t& rank = kind == 1 ? reduced_rank : kept_rank;
    if (kind != previous) dims[rank++] = 1;
    dims[rank - 1] *= x[a];
    steps_of[rank - 1] = strides[static_cast<size_t>(a)];
    previous = kind;
  }
  if (previous == 0) inner = kept[--kept_rank];
  if (previous == 1) run = reduced[--reduced_rank];
  for (size_t i = 0; i < reduced_rank; ++i) steps *= reduced[i];
  blocks = (inner + kReduceBlock - 1) / kReduceBlock;
  tasks = blocks;
  for (size_t i = 0; i < kept_rank; ++i) tasks *= kept[i];
}

namespace {

// ---- float32: sums and products in double, rounded once ----

struct FloatSum {
  using T = float;
  using Acc = double;
  static Acc Init() { return 0; }
  static Acc Step(Acc acc, T x) { return acc + static_cast<double>(x); }
  static T Finish(Acc acc, const ReduceParams&) { return static_cast<float>(acc); }
};
struct FloatMean : FloatSum {
  static T Finish(Acc acc, const ReduceParams& p) {
    const int64_t count = p.geometry.count;
    return static_cast<float>(count == 0 ? acc : acc / static_cast<double>(count));
  }
};
struct FloatProd : FloatSum {
  static Acc Init() { return 1; }
  static Acc Step(Acc acc, T x) { return acc * static_cast<double>(x); }
};

// ---- int32, int64: modulo 2^64, then modulo the type ----

template <typename Type>
struct IntSum {
  using T = Type;
  using Acc = uint64_t;
  static Acc Init() { return 0; }
  static Acc Step(Acc acc, T x) { return acc + static_cast<uint64_t>(x); }
  static T Finish(Acc acc, const ReduceParams&) { return static_cast<T>(acc); }
};
template <typename Type>
struct IntMean : IntSum<Type> {
  static Type Finish(uint64_t acc, const ReduceParams& p) {
    const int64_t sum = static_cast<int64_t>(acc);
    return static_cast<Type>(p.geometry.count == 0 ? sum : sum / p.geometry.count);
  }
};
template <typename Type>
struct IntProd : IntSum<Type> {
  static uint64_t Init() { return 1; }
  static uint64_t Step(uint64_t acc, Type x) { return acc * static_cast<uint64_t>(x); }
};

// ---- quantized: an exact sum, requantized ----

// Narrow: sums of at most 2^23 8-bit values, which int32 holds; it vectorizes better. Mean differs
// by its multiplier.
template <typename Type, bool kNarrow>
struct QuantizedSum {
  using T = Type;
  using Acc = std::conditional_t<kNarrow, int32_t, int64_t>;
  static Acc Init() { return 0; }
  static Acc Step(Acc acc, T x) { return acc + static_cast<Acc>(x); }
  static T Finish(Acc acc, const ReduceParams& p) {
    const int64_t sum = static_cast<int64_t>(acc) - p.geometry.count * p.rescale.in_zero;
    return static_cast<T>(RequantizeSum<T>(sum, p.multiplier, p.rescale.out));
  }
};

// ---- extremes, all numeric types ----

template <typename Type, bool kMax>
struct Extreme {
  using T = Type;
  using Acc = Type;
  static Acc Init() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return kMax ? -Limits::infinity() : Limits::infinity();
    return kMax ? Limits::lowest() : Limits::max();
  }
  static Acc Step(Acc acc, T x) { return (kMax ? x > acc : x < acc) ? x : acc; }
  static T Finish(Acc acc, const ReduceParams& p) {
    if constexpr (sizeof(T) >= 4) return acc;
    return static_cast<T>(RequantizeSum<T>(static_cast<int64_t>(acc) - p.rescale.in_zero,
                                           p.multiplier, p.rescale.out));
  }
};

// ---- bool ----

template <bool kAll>
struct Logical {
  using T = uint8_t;
  using Acc = bool;
  static Acc Init() { return kAll; }
  static Acc Step(Acc acc, T x) { return kAll ? acc && x != 0 : acc || x != 0; }
  static T Finish(Acc acc, const ReduceParams&) { return acc ? 1 : 0; }
};

template <bool kMax>
KernelFn ExtremeKernel(DType type) {
  switch (type) {
    case DType::kFloat32:
      return &RunReduce<Extreme<float, kMax>>;
    case DType::kInt8:
      return &RunReduce<Extreme<int8_t, kMax>>;
    case DType::kUint8:
      return &RunReduce<Extreme<uint8_t, kMax>>;
    case DType::kInt16:
      return &RunReduce<Extreme<int16_t, kMax>>;
    case DType::kInt32:
      return &RunReduce<Extreme<int32_t, kMax>>;
    default:
      return &RunReduce<Extreme<int64_t, kMax>>;
  }
}

KernelFn SumKernel(DType type, bool mean, int64_t count) {
  const bool narrow = count <= (int64_t{1} << 23);
  switch (type) {
    case DType::kFloat32:
      return mean ? &RunReduce<FloatMean> : &RunReduce<FloatSum>;
    case DType::kInt8:
      return narrow ? &RunReduce<QuantizedSum<int8_t, true>>
                    : &RunReduce<QuantizedSum<int8_t, false>>;
    case DType::kUint8:
      return narrow ? &RunReduce<QuantizedSum<uint8_t, true>>
                    : &RunReduce<QuantizedSum<uint8_t, false>>;
    case DType::kInt16:
      return &RunReduce<QuantizedSum<int16_t, false>>;
    case DType::kInt32:
      return mean ? &RunReduce<IntMean<int32_t>> : &RunReduce<IntSum<int32_t>>;
    default:
      return mean ? &RunReduce<IntMean<int64_t>> : &RunReduce<IntSum<int64_t>>;
  }
}

KernelFn ProductKernel(DType type) {
  if (type == DType::kFloat32) return &RunReduce<FloatProd>;
  return type == DType::kInt32 ? &RunReduce<IntProd<int32_t>> : &RunReduce<IntProd<int64_t>>;
}

Status CheckType(const PrepareContext& ctx) {
  const DType type = ctx.in[0].type;
  switch (ctx.type) {
    case OpType::kReduceAny:
    case OpType::kReduceAll:
      return ctx.ExpectType("the input", type, {DType::kBool});
    case OpType::kReduceProd:
      return ctx.ExpectType("the input", type, {DType::kFloat32, DType::kInt32, DType::kInt64});
    default:
      return ctx.ExpectType("the input", type,
                            {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16,
                             DType::kInt32, DType::kInt64});
  }
}

KernelFn KernelOf(const PrepareContext& ctx, int64_t count) {
  const DType type = ctx.in[0].type;
  switch (ctx.type) {
    case OpType::kMean:
    case OpType::kSum:
      return SumKernel(type, ctx.type == OpType::kMean, count);
    case OpType::kReduceMax:
      return ExtremeKernel<true>(type);
    case OpType::kReduceMin:
      return ExtremeKernel<false>(type);
    case OpType::kReduceProd:
      return ProductKernel(type);
    case OpType::kReduceAll:
      return &RunReduce<Logical<true>>;
    default:
      return &RunReduce<Logical<false>>;
  }
}

// Reads the axes as a mask (repeated ones are harmless) and checks the output's shape.
Result<unsigned> ReadMask(const PrepareContext& ctx) {
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::ReduceOptions>(ctx));
  const Shape& x = ctx.in[0].shape;
  unsigned mask = 0;
  for (size_t i = 0; options->axes() != nullptr && i < options->axes()->size(); ++i) {
    const uint32_t axis = options->axes()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (axis >= static_cast<uint32_t>(x.rank())) {
      return ctx.Error(
          StatusCode::kInvalidModel,
          "axis " + std::to_string(axis) + " of an input of rank " + std::to_string(x.rank()));
    }
    mask |= 1u << axis;
  }
  int rank = 0;
  for (int a = 0; a < x.rank(); ++a) rank += options->keep_dims() || (mask >> a & 1u) == 0 ? 1 : 0;
  Shape want = Shape::OfRank(rank);
  int at = 0;
  for (int a = 0; a < x.rank(); ++a) {
    if ((mask >> a & 1u) == 0) {
      want[at++] = x[a];
    } else if (options->keep_dims()) {
      want[at++] = 1;
    }
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, want));
  return mask;
}

Status PrepareReduce(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(CheckType(ctx));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const unsigned mask, ReadMask(ctx));
  const View& x = ctx.in[0];
  ReduceParams params;
  params.geometry = ReduceGeometry(x.shape, mask);
  const int64_t count = params.geometry.count;
  if (DTypeSize(x.type) <= 2 && x.type != DType::kBool) {
    WHIT_ASSIGN_OR_RETURN(params.rescale, MakeRescale(ctx, x, ctx.out[0], -INFINITY, INFINITY));
    const bool mean = ctx.type == OpType::kMean && count > 0;
    params.multiplier = params.rescale.Multiplier(mean ? count : 1);
  }
  p->exact = x.type != DType::kFloat32;
  p->tasks = params.geometry.tasks;
  p->macs = x.elements();
  p->run = KernelOf(ctx, count);
  p->SetParams(params);
  return OkStatus();
}

}  // namespace

Status PrepareMean(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareSum(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareReduceMax(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareReduceMin(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareReduceProd(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareReduceAny(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }
Status PrepareReduceAll(const PrepareContext& ctx, Prepared* p) { return PrepareReduce(ctx, p); }

}  // namespace whit
