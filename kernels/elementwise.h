// What element-by-element operators share: broadcasting decided once, loops over spans that
// compilers vectorize, and the reading of quantized operands in either storage. Not for operators
// that move data or look at neighbours.
#ifndef WHIT_KERNELS_ELEMENTWISE_H_
#define WHIT_KERNELS_ELEMENTWISE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

#include "kernels/op.h"
#include "platform/status.h"

// The iterations of the loop that follows do not depend on each other, even where the output lies
// over an input (Prepared::in_place): element i is read before it is written, by iteration i alone.
// Clang checks for overlap at run time and warns where it is ordered to vectorize and cannot, so it
// is not told.
#if defined(__GNUC__) && !defined(__clang__)
#define WHIT_INDEPENDENT _Pragma("GCC ivdep")
#else
#define WHIT_INDEPENDENT
#endif

namespace whit {

/// Numpy broadcasting of up to three inputs to one output, neighbouring axes merged where every
/// input allows it: same-shape operands become one axis, a trailing-channel operand two.
struct Broadcast {
  int rank = 1;  // after merging, >= 1
  std::array<int64_t, kMaxRank> dims{};
  std::array<std::array<int64_t, kMaxRank>, 3>
      strides{};  // [input][axis] in elements; 0 where it is repeated

  int64_t inner_stride(size_t input) const { return strides[input][static_cast<size_t>(rank) - 1]; }
};

/// Of the first `inputs` inputs of the operator; checks that output 0 has the broadcast shape.
Result<Broadcast> MakeBroadcast(const PrepareContext& ctx, size_t inputs);

/// Calls f(out_offset, n, in_offsets) for the runs of output elements in `tasks` that lie in one
/// innermost row.
template <size_t N, typename F>
void ForEachSpan(const Broadcast& b, TaskRange tasks, F&& f) {
  const size_t last = static_cast<size_t>(b.rank) - 1;
  std::array<int64_t, kMaxRank> at{};
  std::array<int64_t, N> base{};
  int64_t rest = tasks.begin;
  for (size_t d = last + 1; tasks.begin < tasks.end && d-- > 0;) {
    at[d] = rest % b.dims[d];
    rest /= b.dims[d];
    for (size_t i = 0; i < N; ++i) base[i] += at[d] * b.strides[i][d];
  }
  for (int64_t out = tasks.begin; out < tasks.end;) {
    const int64_t n = std::min(tasks.end - out, b.dims[last] - at[last]);
    f(out, n, base);
    out += n;
    for (size_t i = 0; i < N; ++i) base[i] -= at[last] * b.strides[i][last];
    at[last] = 0;
    for (size_t d = last; d-- > 0;) {
      for (size_t i = 0; i < N; ++i) base[i] += b.strides[i][d];
      if (++at[d] < b.dims[d]) break;
      for (size_t i = 0; i < N; ++i) base[i] -= b.dims[d] * b.strides[i][d];
      at[d] = 0;
    }
  }
}

/// out[i] = f(a[i], b[i]) where a stride of 0 repeats the first element. Returns f, which may have
/// counted something.
template <typename In, typename Out, typename F>
F ApplySpan(const In* a, int64_t stride_a, const In* b, int64_t stride_b, Out* out, int64_t n,
            F f) {
  if (stride_a != 0 && stride_b != 0) {
    WHIT_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (stride_a != 0) {
    const In b0 = *b;
    WHIT_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b0);
  } else if (stride_b != 0) {
    const In a0 = *a;
    WHIT_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = f(a0, b[i]);
  } else {
    const Out value = f(*a, *b);
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  }
  return f;
}

/// A quantized operand as its kernel reads it: value less zero point. T is uint8_t for both 8-bit
/// storages (the byte is brought to canonical int8 by flipping the top bit where it holds q + 128)
/// and int16_t.
template <typename T>
struct Operand {
  int32_t zero_point = 0;  // canonical for 8-bit
  uint8_t flip = 0;        // 0x80 for uint8 storage

  int32_t Less(T stored) const {
    if constexpr (std::is_same_v<T, uint8_t>) {
      return static_cast<int8_t>(stored ^ flip) - zero_point;
    } else {
      return static_cast<int32_t>(stored) - zero_point;
    }
  }
};

/// Zero point and storage of an operand, type-independent form of Operand<T>.
struct OperandInfo {
  int32_t zero_point = 0;
  uint8_t flip = 0;
  double scale = 1;

  template <typename T>
  Operand<T> As() const {
    return {zero_point, flip};
  }
};

inline bool IsEightBit(DType type) { return type == DType::kInt8 || type == DType::kUint8; }

/// Checks a quantized int8, uint8 or int16 tensor: one scale, a zero point inside the type.
Result<OperandInfo> ReadOperand(const PrepareContext& ctx, const char* what, const View& t);

/// f32(value), refused unless finite and > 0: what a quotient of scales must be to be used as a
/// multiplier.
Result<float> MakeMultiplier(const PrepareContext& ctx, const char* what, double value);

/// Refuses NaN and empty intervals of a fused activation of floats and plain integers.
Status CheckClamp(const PrepareContext& ctx, float lo, float hi);

/// min(max(x, lo), hi) that keeps NaN, for float results.
inline float ClampKeepNan(float x, float lo, float hi) {
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}

/// Fused activation of a plain integer output: the integers of T inside [lo, hi].
template <typename T>
struct IntRange {
  T lo, hi;
};
template <typename T>
IntRange<T> MakeIntRange(float lo, float hi);

/// Out may lie over input `i`: same type and number of elements.
bool MayShare(const PrepareContext& ctx, size_t i);

}  // namespace whit

#endif  // WHIT_KERNELS_ELEMENTWISE_H_
