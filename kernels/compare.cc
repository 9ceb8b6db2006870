// Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual on every type, LogicalAnd, LogicalOr on
// bool; the output is bool (bytes 0 and 1) with numpy broadcasting. Quantized operands are compared
// as the real numbers they stand for, exactly. docs/arithmetic.md, 4. Tasks are output elements.
#include <cstdint>
#include <functional>
#include <string>

#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

struct CompareParams {
  Broadcast broadcast;
  OperandInfo a, b;
};

template <typename T, typename Op>
struct PlainCompare {
  explicit PlainCompare(const CompareParams&) {}
  uint8_t operator()(T a, T b) const { return Op()(a, b) ? 1 : 0; }
};

// A bool is any byte that is not 0.
template <typename Op>
struct BoolCompare {
  explicit BoolCompare(const CompareParams&) {}
  uint8_t operator()(uint8_t a, uint8_t b) const { return Op()(a != 0, b != 0) ? 1 : 0; }
};

// One scale for both: the scale cancels.
template <typename T, typename Op>
struct SameScaleCompare {
  Operand<T> a, b;
  explicit SameScaleCompare(const CompareParams& p) : a(p.a.As<T>()), b(p.b.As<T>()) {}
  uint8_t operator()(T x, T y) const { return Op()(a.Less(x), b.Less(y)) ? 1 : 0; }
};

// 17 bits times the 24 of a float scale are exact in double.
template <typename T, typename Op>
struct RealCompare {
  Operand<T> a, b;
  double scale_a, scale_b;
  explicit RealCompare(const CompareParams& p)
      : a(p.a.As<T>()), b(p.b.As<T>()), scale_a(p.a.scale), scale_b(p.b.scale) {}
  uint8_t operator()(T x, T y) const {
    return Op()(a.Less(x) * scale_a, b.Less(y) * scale_b) ? 1 : 0;
  }
};

template <typename T, typename F>
KernelCode Run(const RunContext& ctx) {
  const auto& p = ctx.As<CompareParams>();
  const T* a = ctx.in[0].as<T>();
  const T* b = ctx.in[1].as<T>();
  uint8_t* out = ctx.out[0].mut<uint8_t>();
  ForEachSpan<2>(p.broadcast, ctx.tasks, [&](int64_t at, int64_t n, const auto& base) {
    ApplySpan(a + base[0], p.broadcast.inner_stride(0), b + base[1], p.broadcast.inner_stride(1),
              out + at, n, F(p));
  });
  return KernelCode::kOk;
}

template <typename Op>
KernelFn Pick(DType type, bool same_scale) {
  switch (type) {
    case DType::kFloat32:
      return &Run<float, PlainCompare<float, Op>>;
    case DType::kInt32:
      return &Run<int32_t, PlainCompare<int32_t, Op>>;
    case DType::kInt64:
      return &Run<int64_t, PlainCompare<int64_t, Op>>;
    case DType::kBool:
      return &Run<uint8_t, BoolCompare<Op>>;
    case DType::kInt16:
      return same_scale ? &Run<int16_t, SameScaleCompare<int16_t, Op>>
                        : &Run<int16_t, RealCompare<int16_t, Op>>;
    case DType::kInt8:
    case DType::kUint8:
      return same_scale ? &Run<uint8_t, SameScaleCompare<uint8_t, Op>>
                        : &Run<uint8_t, RealCompare<uint8_t, Op>>;
    default:
      return nullptr;
  }
}

// A quantized operand, or a plain small integer as one of scale 1.
Result<OperandInfo> ReadSide(const PrepareContext& ctx, const char* what, const View& t) {
  if (t.quant.present()) return ReadOperand(ctx, what, t);
  OperandInfo plain;
  if (t.type == DType::kUint8) plain = {.zero_point = -128, .flip = 0x80};
  return plain;
}

Status PrepareCommon(const PrepareContext& ctx, Prepared* out, CompareParams* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {DType::kBool}));
  WHIT_ASSIGN_OR_RETURN(p->broadcast, MakeBroadcast(ctx, 2));
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  return OkStatus();
}

template <typename Op>
Status PrepareCompare(const PrepareContext& ctx, Prepared* out) {
  CompareParams p;
  WHIT_RETURN_IF_ERROR(PrepareCommon(ctx, out, &p));
  const View& a = ctx.in[0];
  const View& b = ctx.in[1];
  if (a.type != b.type && !(IsEightBit(a.type) && IsEightBit(b.type))) {
    return ctx.Error(StatusCode::kUnsupported,
                     std::string("compares ") + DTypeName(a.type) + " with " + DTypeName(b.type));
  }
  if (IsEightBit(a.type) || a.type == DType::kInt16) {
    WHIT_ASSIGN_OR_RETURN(p.a, ReadSide(ctx, "input 0", a));
    WHIT_ASSIGN_OR_RETURN(p.b, ReadSide(ctx, "input 1", b));
  }
  out->run = Pick<Op>(a.type, p.a.scale == p.b.scale);
  if (out->run == nullptr) {
    return ctx.Error(StatusCode::kUnsupported,
                     std::string("not implemented for ") + DTypeName(a.type));
  }
  out->SetParams(p);
  return OkStatus();
}

template <typename Op>
Status PrepareLogical(const PrepareContext& ctx, Prepared* out) {
  CompareParams p;
  WHIT_RETURN_IF_ERROR(PrepareCommon(ctx, out, &p));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("input 0", ctx.in[0].type, {DType::kBool}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("input 1", ctx.in[1].type, {DType::kBool}));
  out->run = &Run<uint8_t, BoolCompare<Op>>;
  out->in_place = MayShare(ctx, 0);
  out->SetParams(p);
  return OkStatus();
}

}  // namespace

Status PrepareEqual(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::equal_to<>>(ctx, p);
}
Status PrepareNotEqual(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::not_equal_to<>>(ctx, p);
}
Status PrepareLess(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::less<>>(ctx, p);
}
Status PrepareLessEqual(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::less_equal<>>(ctx, p);
}
Status PrepareGreater(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::greater<>>(ctx, p);
}
Status PrepareGreaterEqual(const PrepareContext& ctx, Prepared* p) {
  return PrepareCompare<std::greater_equal<>>(ctx, p);
}
Status PrepareLogicalAnd(const PrepareContext& ctx, Prepared* p) {
  return PrepareLogical<std::logical_and<>>(ctx, p);
}
Status PrepareLogicalOr(const PrepareContext& ctx, Prepared* p) {
  return PrepareLogical<std::logical_or<>>(ctx, p);
}

constexpr const char* kCompared = "int8 uint8 int16 int32 int64 float32 bool";
const char* const kTypesEqual = kCompared;
const char* const kTypesNotEqual = kCompared;
const char* const kTypesLess = kCompared;
const char* const kTypesLessEqual = kCompared;
const char* const kTypesGreater = kCompared;
const char* const kTypesGreaterEqual = kCompared;
const char* const kTypesLogicalAnd = "bool";
const char* const kTypesLogicalOr = "bool";

}  // namespace whit
