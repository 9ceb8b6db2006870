// Rows of floats that a product of 8-bit activations reads: quantized block by block into scratch,
// every image or every pixel with a scale and zero point of its own (docs/arithmetic.md, 3.1).
#ifndef WHIT_KERNELS_SIMD_QUANTIZED_ROWS_H_
#define WHIT_KERNELS_SIMD_QUANTIZED_ROWS_H_

#include <cstdint>

#include "kernels/hybrid.h"
#include "kernels/simd/kernels_f32.h"
#include "kernels/simd/row_blocks.h"

namespace whit {

/// What a plan knows.
struct QuantizedRows {
  const simd::F32Kernels* kernels = nullptr;  // null: the activations are stored in 8 bits
  bool pixels = false;                        // every pixel has its own quantization
  int32_t act_bias = 0;                       // of the tier: stored less canonical int8
  Part scale, zero;                           // of each row of a block

  void TakeScratch(const RowBlocks& blocks, ScratchParts* parts) {
    scale = parts->Take(blocks.block_rows() * 4);
    zero = parts->Take(blocks.block_rows() * 4);
  }
};

/// One thread's: fills blocks.
class RowQuantizer {
 public:
  RowQuantizer(const QuantizedRows& plan, const RowBlocks& blocks, const float* x, uint8_t* scratch)
      : p_(plan),
        b_(blocks),
        x_(x),
        scale_(plan.scale.In<float>(scratch)),
        zero_(plan.zero.In<int32_t>(scratch)) {}

  void Begin(int64_t block, BlockRows* rows);

  const float* scale() const { return scale_; }
  const int32_t* zero() const { return zero_; }  // as stored

  // What BlockRows::Fill asks for.
  void Line(const uint8_t* source, int64_t elements, uint8_t* target);
  void Padding(int64_t elements, uint8_t* target) const;

 private:
  void BeginImage(int64_t image);
  DynamicQuant Range(const float* x, int64_t count) const;
  int32_t StoredZero() const { return quant_.zero_point + p_.act_bias; }

  const QuantizedRows& p_;
  const RowBlocks& b_;
  const float* x_;
  float* scale_;
  int32_t* zero_;
  DynamicQuant quant_;
  int64_t image_ = -1;
  int64_t row_ = 0, first_pixel_ = 0;  // of flat blocks
};

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_QUANTIZED_ROWS_H_
