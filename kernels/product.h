// Products of rows of activations with packed panels (docs/layout.md, 3 and 4): the inner loops of
// convolution, fully connected, transposed convolution and batched matrix product. Plain functions
// over pointers; no options, no shapes.
//
// 8- and 16-bit activations are first widened to int16 in the order that one multiply-add of pairs
// wants: a step of four k becomes x0 x2 x1 x3. A row is widened once and meets every panel.
#ifndef WHIT_KERNELS_PRODUCT_H_
#define WHIT_KERNELS_PRODUCT_H_

#include <cstdint>

namespace whit {
namespace simd {
struct WideProduct;
}

/// Widened elements of a run or row of `length` activations.
constexpr int64_t WidenedLength(int64_t length) { return (length + 3) / 4 * 4; }

/// dst[0 .. WidenedLength(length)) = int8(src ^ flip) - minus in steps of x0 x2 x1 x3; missing
/// elements of the last step are 0. flip is 0 for int8 storage and 0x80 for int8 stored as uint8.
void WidenI8(const uint8_t* src, int64_t length, uint8_t flip, int16_t minus, int16_t* dst);
/// The same of int16 activations.
void WidenI16(const int16_t* src, int64_t length, int16_t* dst);

/// What adds rows times a panel on an instruction-set tier; null: portable code.
using WideProductFn = void (*)(const simd::WideProduct&);

/// acc[r][c] += sum over steps of row r times channel c, modulo 2^32; rows r = 0 .. count-1 at a +
/// r * a_stride, `width` 8 or 16 channels of one panel_i8. REQUIRES count > 0.
void AddPanelI8(WideProductFn tier, const int16_t* a, int64_t a_stride, int64_t count,
                const int8_t* panel, int64_t width, int64_t steps, int32_t (*acc)[16]);

/// Steps whose sum of int16 activations times int8 weights surely fits int32: 64 * 4 * 2^15 * 2^7 =
/// 2^30.
inline constexpr int64_t kStepsPerInt32 = 64;

/// The same for int16 activations, exact in int64.
void AddPanelI16(WideProductFn tier, const int16_t* a, int64_t a_stride, int64_t count,
                 const int8_t* panel, int64_t width, int64_t steps, int64_t (*acc)[16]);

/// acc[r][c] += a[r][k] * panel[k][c], one k after the other, each product and sum rounded to
/// float.
void AddPanelF32(const float* a, int64_t a_stride, int64_t count, const float* panel, int64_t k,
                 float (*acc)[16]);

}  // namespace whit

#endif  // WHIT_KERNELS_PRODUCT_H_
