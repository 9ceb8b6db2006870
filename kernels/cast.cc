// Cast: every type to every type, by value. Truncation towards zero, saturation, NaN to 0; no
// quantization is applied, but a stored-shifted 8-bit tensor is read and written as the int8 it
// stands for. docs/arithmetic.md, 4. Tasks are elements.
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/float16.h"
#include "kernels/op.h"

namespace whit {

namespace {

struct CastParams {
  uint8_t flip_in = 0, flip_out = 0;  // 0x80 where the bytes are int8 + 128
};

// How each DType lies in memory and which number it is. `Stored` is what memory holds, `Value` what
// is computed with.
template <typename T>
struct Number {
  using Stored = T;
  using Value = T;
  static Value Load(Stored x, uint8_t) { return x; }
};
struct Int8 {
  using Stored = uint8_t;
  using Value = int8_t;
  static Value Load(Stored x, uint8_t flip) { return static_cast<int8_t>(x ^ flip); }
};
struct Bool {
  using Stored = uint8_t;
  using Value = bool;
  static Value Load(Stored x, uint8_t) { return x != 0; }
};
struct Half {
  using Stored = uint16_t;
  using Value = float;
  static Value Load(Stored x, uint8_t) { return FloatFromHalf(x); }
};

template <typename To, typename From>
To Saturate(From x) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_floating_point_v<From>) {
    // The bounds are powers of two, so exact in float: min and max + 1.
    constexpr From kBelow = static_cast<From>(Limits::min());
    constexpr From kAbove = static_cast<From>(Limits::max() / 2 + 1) * 2;
    if (!(x == x)) return 0;
    if (x >= kAbove) return Limits::max();
    return x <= kBelow ? Limits::min() : static_cast<To>(x);
  } else {
    const int64_t wide = x;
    if (wide > static_cast<int64_t>(Limits::max())) return Limits::max();
    return wide < static_cast<int64_t>(Limits::min()) ? Limits::min() : static_cast<To>(wide);
  }
}

template <typename To, typename Value>
typename To::Stored Store(Value x, uint8_t flip) {
  if constexpr (std::is_same_v<To, Half>)
    return HalfFromFloat(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, Bool>)
    return x != Value{0} ? 1 : 0;
  else if constexpr (std::is_same_v<To, Int8>)
    return static_cast<uint8_t>(static_cast<uint8_t>(Saturate<int8_t>(x)) ^ flip);
  else if constexpr (std::is_same_v<typename To::Value, float>)
    return static_cast<float>(x);
  else
    return Saturate<typename To::Value>(x);
}

template <typename From, typename To>
KernelCode Run(const RunContext& ctx) {
  const CastParams p = ctx.As<CastParams>();
  const auto* in = ctx.in[0].as<typename From::Stored>();
  auto* out = ctx.out[0].mut<typename To::Stored>();
  for (int64_t i = ctx.tasks.begin; i < ctx.tasks.end; ++i) {
    out[i] = Store<To>(From::Load(in[i], p.flip_in), p.flip_out);
  }
  return KernelCode::kOk;
}

template <typename From>
KernelFn PickTo(DType to) {
  switch (to) {
    case DType::kFloat32:
      return &Run<From, Number<float>>;
    case DType::kInt8:
      return &Run<From, Int8>;
    case DType::kUint8:
      return &Run<From, Number<uint8_t>>;
    case DType::kInt16:
      return &Run<From, Number<int16_t>>;
    case DType::kInt32:
      return &Run<From, Number<int32_t>>;
    case DType::kInt64:
      return &Run<From, Number<int64_t>>;
    case DType::kBool:
      return &Run<From, Bool>;
    case DType::kFloat16:
      return &Run<From, Half>;
  }
  return nullptr;
}

KernelFn Pick(DType from, DType to) {
  switch (from) {
    case DType::kFloat32:
      return PickTo<Number<float>>(to);
    case DType::kInt8:
      return PickTo<Int8>(to);
    case DType::kUint8:
      return PickTo<Number<uint8_t>>(to);
    case DType::kInt16:
      return PickTo<Number<int16_t>>(to);
    case DType::kInt32:
      return PickTo<Number<int32_t>>(to);
    case DType::kInt64:
      return PickTo<Number<int64_t>>(to);
    case DType::kBool:
      return PickTo<Bool>(to);
    case DType::kFloat16:
      return PickTo<Half>(to);
  }
  return nullptr;
}

// The type the tensor stands for: int8 where the plan stores a quantized int8 as uint8.
DType CanonicalType(const PrepareContext& ctx, const View& t, uint8_t* flip) {
  if (t.type != DType::kUint8 || !t.quant.present() || ctx.act_bias == 0) return t.type;
  *flip = 0x80;
  return DType::kInt8;
}

}  // namespace

Status PrepareCast(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, ctx.in[0].shape));
  CastParams p;
  const DType from = CanonicalType(ctx, ctx.in[0], &p.flip_in);
  const DType to = CanonicalType(ctx, ctx.out[0], &p.flip_out);
  out->run = Pick(from, to);
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->in_place = ctx.in[0].type == ctx.out[0].type;
  out->SetParams(p);
  return OkStatus();
}

const char* const kTypesCast = "all";

}  // namespace whit
