// Walking N-d arrays without heap: the loop that Transpose, Slice, Tile, Reverse and their kin
// share.
#ifndef WHIT_KERNELS_STRIDES_H_
#define WHIT_KERNELS_STRIDES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/tensor.h"

namespace whit {

/// Tile walks every axis twice (copy, element).
inline constexpr int kMaxWalkRank = 2 * kMaxRank;

/// Distance in elements between neighbours along each axis of a dense row-major array.
std::array<int64_t, kMaxRank> RowMajorStrides(const Shape& shape);

/// An index into a box of `rank` dimensions, and the offset that belongs to it under one stride an
/// axis.
class NdIndex {
 public:
  /// Starts at the `linear`-th index in row-major order. `dims` (all > 0) and `strides` are
  /// borrowed.
  NdIndex(std::span<const int64_t> dims, std::span<const int64_t> strides, int64_t linear);

  int64_t offset() const { return offset_; }
  /// On to the next index in row-major order; from the last one to the first.
  void Next() {
    for (size_t axis = dims_.size(); axis-- > 0;) {
      offset_ += strides_[axis];
      if (++at_[axis] < dims_[axis]) return;
      offset_ -= strides_[axis] * dims_[axis];
      at_[axis] = 0;
    }
  }

 private:
  std::span<const int64_t> dims_, strides_;
  std::array<int64_t, kMaxWalkRank> at_{};
  int64_t offset_ = 0;
};

/// Fills a dense row-major array from a source read with arbitrary strides:
///   dst[i0][i1]... = src[i0 * strides[0] + i1 * strides[1] + ...]
/// A plain value, made in prepare. Neighbouring axes that continue each other are merged, so that a
/// contiguous run is one memcpy.
class StridedCopy {
 public:
  StridedCopy() = default;
  /// `strides` count elements of the source: 0 repeats, negative walks backwards. dims.size() <=
  /// kMaxWalkRank.
  StridedCopy(std::span<const int64_t> dims, std::span<const int64_t> strides,
              size_t element_bytes);

  /// Independent pieces of work; a row is `row_bytes()` contiguous bytes of the destination.
  int64_t rows() const { return rows_; }
  int64_t row_bytes() const { return inner_ * static_cast<int64_t>(element_bytes_); }
  /// Copies rows [begin, end). `src` is the address of element (0, 0, ...), which need not be the
  /// lowest one.
  void Run(const uint8_t* src, uint8_t* dst, int64_t begin, int64_t end) const;

 private:
  std::array<int64_t, kMaxWalkRank> dims_{},
      strides_{};  // of the outer axes, merged; strides in bytes
  size_t outer_rank_ = 0;
  int64_t rows_ = 0;
  int64_t inner_ = 0;         // elements of a row
  int64_t inner_stride_ = 0;  // bytes between them in the source
  size_t element_bytes_ = 1;
};

}  // namespace whit

#endif  // WHIT_KERNELS_STRIDES_H_
