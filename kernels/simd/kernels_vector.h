// What an instruction-set tier provides for operators that are no products: element by element,
// tables, conversions, pooling, rows. Plain functions over plain structs, one table a tier; the
// rules of kernels.h hold here too (no inline function, no standard template, checks nothing).
//
// Codes of 8 bits and their zero points count from 0, whether the tier stores them so or as int8
// (128 less); tables and transposes take bytes as they are stored.
//
// None of these functions reads or writes outside the elements it is given unless its struct says
// so, and outputs may lie exactly over an input of the same element size.
#ifndef WHIT_KERNELS_SIMD_KERNELS_VECTOR_H_
#define WHIT_KERNELS_SIMD_KERNELS_VECTOR_H_

#include <cstdint>

namespace whit::simd {

/// z + rne(clamp(v, lo, hi)) of a float v in units of the output (docs/arithmetic.md, `store`): lo
/// and hi are less the zero point, everything in stored units.
struct Store {
  int32_t zero_point = 0;
  float lo = 0, hi = 0;
};

enum class BinaryKind : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,
  kMinimum,
  kSquaredDifference,
  kPRelu
};

/// out[i] = store(f(a[i * a_step] - a_zero, b[i * b_step] - b_zero)), by the multipliers of
/// docs/arithmetic.md, Two operands. Steps are 0 or 1. PRelu: ma for x >= 0, mb for the rest.
template <typename T>
struct BinaryCodes {
  BinaryKind kind = BinaryKind::kAdd;
  const T *a = nullptr, *b = nullptr;
  int64_t a_step = 1, b_step = 1;
  T* out = nullptr;
  int64_t n = 0;
  int32_t a_zero = 0, b_zero = 0;  // stored units
  float ma = 0, mb = 0;
  Store store;
};
using BinaryU8 = BinaryCodes<uint8_t>;
using BinaryI16 = BinaryCodes<int16_t>;

/// out[i] = clamp(f(a[i * a_step], b[i * b_step]), lo, hi); a NaN passes the clamp.
struct BinaryF32 {
  BinaryKind kind = BinaryKind::kAdd;
  const float *a = nullptr, *b = nullptr;
  int64_t a_step = 1, b_step = 1;
  float* out = nullptr;
  int64_t n = 0;
  float lo = 0, hi = 0;
};

/// out[i] = table[in[i]].
struct TableU8 {
  const uint8_t* table = nullptr;  // [256]
  const uint8_t* in = nullptr;
  uint8_t* out = nullptr;
  int64_t n = 0;
};

enum class UnaryKind : uint8_t {
  kRelu,
  kRelu6,
  kReluN1To1,
  kLeakyRelu,
  kHardSwish,
  kLogistic,
  kTanh,
  kExp,
  kAbs,
  kNeg,
  kSquare,
  kSqrt,
  kRsqrt,
  kGeluTanh,
  kElu,  // within 3e-7 of the reference
  kFloor,
  kCeil,
  kRound
};

/// out[i] = f(in[i]), the very operations of the reference in its order: the same bits, but where a
/// kind says otherwise.
struct UnaryF32 {
  UnaryKind kind = UnaryKind::kRelu;
  const float* in = nullptr;
  float* out = nullptr;
  int64_t n = 0;
  float alpha = 0;
};

/// out[i] = t[k] + (((t[k+1] - t[k]) * r + 64) >> 7), k = (in[i] >> 7) + 256, r = in[i] & 127.
struct TableI16 {
  const int16_t* points = nullptr;  // [513]
  const int16_t* in = nullptr;
  int16_t* out = nullptr;
  int64_t n = 0;
};

/// out[i] = store(in[i] / scale), NaN as 0.
template <typename T>
struct QuantizeTo {
  const float* in = nullptr;
  T* out = nullptr;
  int64_t n = 0;
  float scale = 1;
  Store store;
};
using QuantizeU8 = QuantizeTo<uint8_t>;
using QuantizeI16 = QuantizeTo<int16_t>;

/// out[i] = clamp((in[i] - zero_point) * scale, lo, hi).
template <typename T>
struct DequantizeFrom {
  const T* in = nullptr;
  float* out = nullptr;
  int64_t n = 0;
  int32_t zero_point = 0;
  float scale = 1, lo = 0, hi = 0;
};
using DequantizeU8 = DequantizeFrom<uint8_t>;
using DequantizeI16 = DequantizeFrom<int16_t>;

/// out[i] = store((in[i] - zero_point) * multiplier).
template <typename From, typename To>
struct RescaleCodes {
  const From* in = nullptr;
  To* out = nullptr;
  int64_t n = 0;
  int32_t zero_point = 0;
  float multiplier = 1;
  Store store;
};
using RescaleU8ToI16 = RescaleCodes<uint8_t, int16_t>;
using RescaleI16ToU8 = RescaleCodes<int16_t, uint8_t>;
using RescaleI16 = RescaleCodes<int16_t, int16_t>;

/// One output row of a pool over x[H,W,C], or column sums (one output pixel whose window is
/// everything). Up to 64 bytes behind the last pixel may be read.
struct PoolColumns {
  int64_t in = 0, out = 0, filter = 1, stride = 1, pad = 0;
};
struct PoolU8 {
  bool average = true;                                     // else an extreme
  bool smallest = false;                                   // which
  const uint8_t* x = nullptr;                              // first pixel of the window's first row
  int64_t rows = 0;                                        // real rows of the window
  int64_t row_stride = 0, pixel_stride = 0, channels = 0;  // bytes
  PoolColumns w;
  // Average: out = store((sum - count * in_zero) * f32(ratio / count)), or with count = 1 if
  // `plain_sum`. Largest: the same of the largest, with count = 1.
  bool plain_sum = false;
  int32_t in_zero = 0;
  double ratio = 1;
  Store store;
  uint8_t* out = nullptr;  // dense
};
struct PoolF32 {
  bool average = true;
  bool smallest = false;
  const float* x = nullptr;
  int64_t rows = 0;
  int64_t row_stride = 0, pixel_stride = 0, channels = 0;  // elements
  PoolColumns w;
  float lo = 0, hi = 0;  // a NaN passes
  float* out = nullptr;
};

/// One output row of a bilinear resize. Columns lie between pixels at `low` and `high` (bytes or
/// elements from the row's begin); `weight` is the share of `high` in units of 2^-11, and of
/// `bottom` in `row_weight`. Up to 64 bytes behind the last pixel may be read.
struct ResizeColumn {
  int64_t low = 0, high = 0;
  int32_t weight = 0;
  float share = 0;
};
struct ResizeU8 {
  const uint8_t *top = nullptr, *bottom = nullptr;
  const ResizeColumn* columns = nullptr;
  int64_t out_w = 0, channels = 0;
  int32_t row_weight = 0;
  bool sixteenths = false;  // all weights are multiples of 2^7
  uint8_t* out = nullptr;
};
struct ResizeF32 {
  const float *top = nullptr, *bottom = nullptr;
  const ResizeColumn* columns = nullptr;
  int64_t out_w = 0, channels = 0;
  float row_share = 0;
  float* out = nullptr;
};

/// Rows of `depth` floats: exp((x - largest) * beta) / their sum.
struct SoftmaxF32 {
  const float* in = nullptr;
  float* out = nullptr;
  int64_t rows = 0, depth = 0;
  float beta = 1;
  bool turned = false;  // a lane is a row: for many rows of at most kMostTurned
};
constexpr int64_t kMostTurned = 16;

/// Rows of `depth` bytes: t(d) with d = largest - x, then store(f32(t(d)) * f32(inverse_scale / sum
/// of all t)). docs/arithmetic.md, Softmax.
struct SoftmaxU8 {
  const uint8_t* in = nullptr;
  uint8_t* out = nullptr;
  int64_t rows = 0, depth = 0;
  const uint32_t* table = nullptr;  // [256]
  const float* reals = nullptr;     // [256] the table's entries
  double inverse_scale = 1;
  Store store;
};

/// out[c] = f32(sum over i of x[i * stride + c] / divisor), in double.
struct ColumnSumsF32 {
  const float* x = nullptr;
  int64_t count = 0, stride = 0, n = 0;
  double divisor = 1;
  float* out = nullptr;
};

/// Rows of n elements, n > 0, `stride` apart: their sum or an extreme. Floats are summed in double
/// and divided.
enum class RowKind : uint8_t { kSum, kLargest, kSmallest };
struct RowsF32 {
  RowKind kind = RowKind::kSum;
  const float* x = nullptr;
  int64_t stride = 0, rows = 0, n = 0;
  double divisor = 1;
  float* out = nullptr;
};
struct RowsU8 {
  RowKind kind = RowKind::kSum;
  const uint8_t* x = nullptr;
  int64_t stride = 0, rows = 0, n = 0;
  int64_t* out = nullptr;  // not rescaled
};

/// Rows divided by their norm (docs/arithmetic.md, L2Normalization).
struct L2NormF32 {
  const float* in = nullptr;
  float* out = nullptr;
  int64_t rows = 0, depth = 0;
  float smallest_norm = 0;
  float lo = 0, hi = 0;
};
struct L2NormU8 {
  const uint8_t* in = nullptr;
  uint8_t* out = nullptr;
  int64_t rows = 0, depth = 0;
  int32_t zero_point = 0;
  double inverse_scale = 1;
  Store store;
};

/// out[c][r] = in[r][c] of elements of 1, 2 or 4 bytes; strides in bytes between rows of `in` and
/// of `out`.
struct TransposeTiles {
  const uint8_t* in = nullptr;
  uint8_t* out = nullptr;
  int64_t in_stride = 0, out_stride = 0;
  int64_t rows = 0, columns = 0;  // of `in`
  int element_bytes = 1;
};

/// at[c] = the first i where x[i * stride + c] is largest (or smallest), for n columns; count > 0.
/// Up to 64 bytes behind the last column may be read.
struct ArgU8 {
  const uint8_t* x = nullptr;
  int64_t count = 0, stride = 0, n = 0;
  bool smallest = false;
  int64_t* at = nullptr;
};

/// The functions of one tier. All are there where the table is, but those that say otherwise.
struct VectorKernels {
  const char* tier = "";   // whose code it is: tiers may share it
  double sums_per_ns = 1;  // sums of two bytes each on an ordinary CPU of the tier
  void (*binary_u8)(const BinaryU8&) = nullptr;
  void (*binary_i16)(const BinaryI16&) = nullptr;
  void (*binary_f32)(const BinaryF32&) = nullptr;
  void (*table_u8)(const TableU8&) = nullptr;
  void (*table_u8_vbmi)(const TableU8&) = nullptr;  // may be null; for CPUs with AVX512-VBMI
  void (*table_i16)(const TableI16&) = nullptr;     // may be null
  void (*unary_f32)(const UnaryF32&) = nullptr;
  void (*quantize_u8)(const QuantizeU8&) = nullptr;
  void (*dequantize_u8)(const DequantizeU8&) = nullptr;
  void (*quantize_i16)(const QuantizeI16&) = nullptr;
  void (*dequantize_i16)(const DequantizeI16&) = nullptr;
  void (*rescale_u8_to_i16)(const RescaleU8ToI16&) = nullptr;
  void (*rescale_i16_to_u8)(const RescaleI16ToU8&) = nullptr;
  void (*rescale_i16)(const RescaleI16&) = nullptr;
  void (*pool_u8)(const PoolU8&) = nullptr;
  void (*pool_f32)(const PoolF32&) = nullptr;
  void (*resize_u8)(const ResizeU8&) = nullptr;
  void (*resize_f32)(const ResizeF32&) = nullptr;
  void (*softmax_u8)(const SoftmaxU8&) = nullptr;
  void (*softmax_f32)(const SoftmaxF32&) = nullptr;
  void (*column_sums_f32)(const ColumnSumsF32&) = nullptr;
  void (*arg_u8)(const ArgU8&) = nullptr;
  void (*rows_u8)(const RowsU8&) = nullptr;
  void (*rows_f32)(const RowsF32&) = nullptr;
  void (*l2_norm_u8)(const L2NormU8&) = nullptr;
  void (*l2_norm_f32)(const L2NormF32&) = nullptr;
  void (*transpose)(const TransposeTiles&) = nullptr;
};

}  // namespace whit::simd

#endif  // WHIT_KERNELS_SIMD_KERNELS_VECTOR_H_
