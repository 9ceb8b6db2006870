#include "kernels/strides.h"

#include <cstring>

namespace whit {

namespace {

// memcpy of a constant size: compiles to one load and one store, at any alignment.
template <size_t kBytes>
void CopyElements(const uint8_t* src, int64_t stride_bytes, uint8_t* dst, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(dst + i * static_cast<int64_t>(kBytes), src + i * stride_bytes, kBytes);
  }
}

void CopyRow(const uint8_t* src, int64_t stride_bytes, uint8_t* dst, int64_t count,
             size_t element_bytes) {
  if (stride_bytes == static_cast<int64_t>(element_bytes)) {
    std::memcpy(dst, src, static_cast<size_t>(count) * element_bytes);
    return;
  }
  switch (element_bytes) {
    case 1:
      return CopyElements<1>(src, stride_bytes, dst, count);
    case 2:
      return CopyElements<2>(src, stride_bytes, dst, count);
    case 4:
      return CopyElements<4>(src, stride_bytes, dst, count);
    default:
      return CopyElements<8>(src, stride_bytes, dst, count);
  }
}

}  // namespace

std::array<int64_t, kMaxRank> RowMajorStrides(const Shape& shape) {
  std::array<int64_t, kMaxRank> strides{};
  int64_t step = 1;
  for (int axis = shape.rank(); axis-- > 0;) {
    strides[static_cast<size_t>(axis)] = step;
    step *= shape[axis];
  }
  return strides;
}

NdIndex::NdIndex(std::span<const int64_t> dims, std::span<const int64_t> strides, int64_t linear)
    : dims_(dims), strides_(strides) {
  for (size_t axis = dims.size(); axis-- > 0;) {
    at_[axis] = linear % dims[axis];
    linear /= dims[axis];
    offset_ += at_[axis] * strides[axis];
  }
}

StridedCopy::StridedCopy(std::span<const int64_t> dims, std::span<const int64_t> strides,
                         size_t element_bytes)
    : element_bytes_(element_bytes) {
  // Appends axis after axis; the last one on the stack is what the next may continue.
  size_t n = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) return;  // no elements: no rows
    if (dims[i] == 1) continue;
    const int64_t stride = strides[i] * static_cast<int64_t>(element_bytes);
    if (n > 0 && strides_[n - 1] == stride * dims[i]) {
      dims_[n - 1] *= dims[i];
      strides_[n - 1] = stride;
    } else {
      dims_[n] = dims[i];
      strides_[n] = stride;
      ++n;
    }
  }
  outer_rank_ = n == 0 ? 0 : n - 1;
  inner_ = n == 0 ? 1 : dims_[n - 1];
  inner_stride_ = n == 0 ? static_cast<int64_t>(element_bytes) : strides_[n - 1];
  rows_ = 1;
  for (size_t i = 0; i < outer_rank_; ++i) rows_ *= dims_[i];
}

void StridedCopy::Run(const uint8_t* src, uint8_t* dst, int64_t begin, int64_t end) const {
  if (begin >= end) return;
  NdIndex at({dims_.data(), outer_rank_}, {strides_.data(), outer_rank_}, begin);
  for (int64_t row = begin; row < end; ++row, at.Next()) {
    CopyRow(src + at.offset(), inner_stride_, dst + row * row_bytes(), inner_, element_bytes_);
  }
}

}  // namespace whit
