#include "kernels/elementwise.h"

#include <cmath>
#include <limits>
#include <string>

namespace whit {

namespace {

// Output shape of numpy broadcasting; an error names the axis from the back and both lengths.
Result<Shape> BroadcastShape(const PrepareContext& ctx, size_t inputs) {
  int rank = 0;
  for (size_t i = 0; i < inputs; ++i) rank = std::max(rank, ctx.in[i].shape.rank());
  Shape shape = Shape::OfRank(rank);
  for (size_t i = 0; i < inputs; ++i) {
    const Shape& s = ctx.in[i].shape;
    for (int k = 1; k <= s.rank(); ++k) {
      int64_t& dim = shape[rank - k];
      const int64_t own = s[s.rank() - k];
      if (own != 1 && dim != 1 && own != dim) {
        return ctx.Error(StatusCode::kInvalidModel,
                         "shapes do not broadcast: input " + std::to_string(i) + " is " +
                             s.ToString() + ", " + std::to_string(own) + " against " +
                             std::to_string(dim) + " at axis -" + std::to_string(k));
      }
      if (own != 1) dim = own;
    }
  }
  return shape;
}

}  // namespace

Result<Broadcast> MakeBroadcast(const PrepareContext& ctx, size_t inputs) {
  WHIT_ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(ctx, inputs));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, shape));
  Broadcast b;
  b.dims[0] = 1;
  std::array<int64_t, 3> step{1, 1, 1};  // elements behind the axis looked at
  // From the innermost axis outwards, into a list in reverse order.
  std::array<int64_t, kMaxRank> dims{};
  std::array<std::array<int64_t, kMaxRank>, 3> strides{};
  size_t used = 0;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const int64_t dim = shape[axis];
    std::array<int64_t, 3> stride{};
    for (size_t i = 0; i < inputs; ++i) {
      const Shape& s = ctx.in[i].shape;
      const int own_axis = axis - (shape.rank() - s.rank());
      const int64_t own = own_axis < 0 ? 1 : s[own_axis];
      stride[i] = own == 1 ? 0 : step[i];
      step[i] *= own;
    }
    if (dim == 1) continue;
    bool merges = used > 0;  // the axis continues the one inside it, for every input
    for (size_t i = 0; i < inputs && merges; ++i) {
      merges = stride[i] == strides[i][used - 1] * dims[used - 1];
    }
    if (merges) {
      dims[used - 1] *= dim;
      continue;
    }
    dims[used] = dim;
    for (size_t i = 0; i < inputs; ++i) strides[i][used] = stride[i];
    ++used;
  }
  for (size_t d = 0; d < used; ++d) {
    b.dims[d] = dims[used - 1 - d];
    for (size_t i = 0; i < inputs; ++i) b.strides[i][d] = strides[i][used - 1 - d];
  }
  b.rank = std::max(1, static_cast<int>(used));
  return b;
}

Result<OperandInfo> ReadOperand(const PrepareContext& ctx, const char* what, const View& t) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(what, t.type, {DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectPerTensorQuant(what, t));
  OperandInfo info;
  info.scale = t.quant.scale[0];
  info.flip = t.type == DType::kUint8 ? 0x80 : 0;
  // 64 bits: a hostile zero point must not overflow the subtraction.
  const int64_t zero_point = int64_t{t.quant.zero_point[0]} - info.flip;
  const int64_t limit = t.type == DType::kInt16 ? 32768 : 128;
  if (zero_point < -limit || zero_point >= limit) {
    return ctx.Error(StatusCode::kInvalidModel, std::string(what) + ": zero point " +
                                                    std::to_string(t.quant.zero_point[0]) +
                                                    " is outside " + DTypeName(t.type));
  }
  info.zero_point = static_cast<int32_t>(zero_point);
  return info;
}

Result<float> MakeMultiplier(const PrepareContext& ctx, const char* what, double value) {
  const float m = static_cast<float>(value);
  if (m > 0 && std::isfinite(m)) return m;
  return ctx.Error(StatusCode::kInvalidModel, std::string(what) + " is " + std::to_string(value) +
                                                  ", must be a positive float");
}

Status CheckClamp(const PrepareContext& ctx, float lo, float hi) {
  if (lo <= hi) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   "clamp [" + std::to_string(lo) + ", " + std::to_string(hi) + "] is empty");
}

template <typename T>
IntRange<T> MakeIntRange(float lo, float hi) {
  constexpr T kMin = std::numeric_limits<T>::min(), kMax = std::numeric_limits<T>::max();
  // -2^k is a float, 2^k - 1 is not: compare with 2^k, which float(kMax) rounds to.
  const float below = static_cast<float>(kMin), above = -below;
  IntRange<T> range{kMin, kMax};
  if (lo >= above)
    range.lo = kMax;
  else if (lo > below)
    range.lo = static_cast<T>(std::ceil(lo));
  if (hi < below)
    range.hi = kMin;
  else if (hi < above)
    range.hi = static_cast<T>(std::floor(hi));
  return range;
}
template IntRange<int32_t> MakeIntRange<int32_t>(float lo, float hi);
template IntRange<int64_t> MakeIntRange<int64_t>(float lo, float hi);

bool MayShare(const PrepareContext& ctx, size_t i) {
  return ctx.in[i].type == ctx.out[0].type && ctx.in[i].elements() == ctx.out[0].elements();
}

}  // namespace whit
