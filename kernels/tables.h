// Tables of functions of one variable: made at import in double precision (libm is fine there),
// read by kernels without libm. One list says which function an operator is, for importers,
// kernels' tests and messages alike. Rules and formats: docs/arithmetic.md, 4.
#ifndef WHIT_KERNELS_TABLES_H_
#define WHIT_KERNELS_TABLES_H_

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/op.h"

namespace whit {

inline constexpr int64_t kTable16Entries =
    513;  // q = -32768, -32640, ... 32768: 512 intervals of 128

using RealFunction = std::function<double(double)>;

/// The real function of a unary operator (Abs to Gelu, in the order of ops.inc; not LogicalNot),
/// empty for any other. `alpha` and `approximate` as in fbs::UnaryOptions.
RealFunction FunctionOf(OpType type, float alpha = 0, bool approximate = false);

/// f between two quantized 8-bit tensors, canonical zero points. Entry q + 128 is
/// clamp(z_out + rne(f(s_in * (q - z_in)) / s_out), -128, 127); NaN becomes z_out.
std::array<int8_t, 256> MakeTable(const RealFunction& f, double scale_in, int32_t zero_in,
                                  double scale_out, int32_t zero_out);

/// f between two int16 tensors as points to interpolate between. A point is moved by half of the
/// error that the chord to its right neighbour makes in the middle.
std::array<int16_t, kTable16Entries> MakeTable16(const RealFunction& f, double scale_in,
                                                 int32_t zero_in, double scale_out,
                                                 int32_t zero_out);

/// The value at q of points made by MakeTable16, rounded half up; never outside the two points
/// around q.
inline int16_t InterpolateTable16(const int16_t* points, int16_t q) {
  const int32_t at = (q >> 7) + 256, part = q & 127;
  const int32_t left = points[at], right = points[at + 1];
  return static_cast<int16_t>(left + (((right - left) * part + 64) >> 7));
}

/// exp(-beta * scale * d) for differences d of stored values, as the blob of Softmax: 256 entries
/// for 8-bit inputs (d = 0..255), 512 for int16 (256 d = 0, 256, ..., then d = 0..255; the product
/// of two is the value).
std::vector<uint32_t> MakeSoftmaxTable8(double beta, double scale_in);
std::vector<uint32_t> MakeSoftmaxTable16(double beta, double scale_in);

/// The same followed by the 257 logarithms that LogSoftmax needs.
std::vector<uint32_t> MakeLogSoftmaxTable8(double beta, double scale_in);
std::vector<uint32_t> MakeLogSoftmaxTable16(double beta, double scale_in);

}  // namespace whit

#endif  // WHIT_KERNELS_TABLES_H_
