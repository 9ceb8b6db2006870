#include "kernels/simd/quantized_rows.h"

#include <algorithm>
#include <cstring>

namespace whit {

DynamicQuant RowQuantizer::Range(const float* x, int64_t count) const {
  float lo = 0, hi = 0;
  p_.kernels->range(x, count, &lo, &hi);
  return QuantOfRange(lo, hi);
}

void RowQuantizer::BeginImage(int64_t image) {
  if (image == image_) return;
  image_ = image;
  const int64_t elements = b_.g.in_h * b_.g.in_w * b_.g.in_c;
  quant_ = Range(x_ + image * elements, elements);
}

void RowQuantizer::Begin(int64_t block, BlockRows* rows) {
  rows->Place(block);
  row_ = 0, first_pixel_ = rows->first_pixel();
  if (!b_.flat) BeginImage(rows->image());
  rows->Fill(this);
  if (b_.flat) return;  // row by row
  std::fill_n(scale_, rows->count(), quant_.scale);
  std::fill_n(zero_, rows->count(), StoredZero());
}

void RowQuantizer::Line(const uint8_t* source, int64_t elements, uint8_t* target) {
  const auto* x = reinterpret_cast<const float*>(source);
  if (b_.flat) {  // a pixel, and a row
    if (p_.pixels) {
      quant_ = Range(x, elements);
    } else {
      BeginImage((first_pixel_ + row_) / (b_.g.in_h * b_.g.in_w));
    }
    scale_[row_] = quant_.scale, zero_[row_] = StoredZero();
    ++row_;
  }
  const auto zero_point = static_cast<float>(quant_.zero_point);
  simd::QuantizeF32 q;
  q.x = x, q.n = elements, q.inverse = quant_.inverse;
  q.lo = -128.0f - zero_point, q.hi = 127.0f - zero_point;
  q.zero = StoredZero();
  q.out = target;
  p_.kernels->quantize(q);
}

void RowQuantizer::Padding(int64_t elements, uint8_t* target) const {
  std::memset(target, StoredZero(), static_cast<size_t>(elements));
}

}  // namespace whit
