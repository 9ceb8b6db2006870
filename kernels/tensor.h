// Types that kernels see: data types, shapes, quantization and views. No graph, no file.
#ifndef WHIT_KERNELS_TENSOR_H_
#define WHIT_KERNELS_TENSOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "platform/status.h"

namespace whit {

/// Element types of tensors. Numbers equal fbs::DType.
enum class DType : uint8_t {
  kFloat32 = 0,
  kInt8 = 1,
  kUint8 = 2,
  kInt16 = 3,
  kInt32 = 4,
  kInt64 = 5,
  kBool = 6,
  kFloat16 = 7,
};
inline constexpr int kDTypeCount = 8;

size_t DTypeSize(DType type);       // bytes of one element
const char* DTypeName(DType type);  // "int8"

/// 8 axes suffice for every TFLite operator (STRIDED_SLICE and TRANSPOSE stop there or below).
inline constexpr int kMaxRank = 8;

/// A tensor's dimensions, outermost first. Plain value, no heap.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  static Shape OfRank(int rank);  // all ones; REQUIRES 0 <= rank <= kMaxRank

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) { return dims_[static_cast<size_t>(axis)]; }
  int64_t back() const { return (*this)[rank_ - 1]; }
  /// Number of elements. Never overflows for shapes that passed validation (product < 2^31).
  int64_t elements() const { return Product(0, rank_); }
  /// Product of the dimensions of axes [from, to).
  int64_t Product(int from, int to) const;
  bool operator==(const Shape& other) const;
  std::string ToString() const;  // "[1,224,224,3]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// Affine quantization: real = scale * (stored - zero_point). Borrowed arrays.
struct Quant {
  std::span<const float> scale;         // empty: not quantized; else 1 or one an index of `axis`
  std::span<const int32_t> zero_point;  // same length
  int axis = -1;                        // -1: per tensor

  bool present() const { return !scale.empty(); }
  bool per_tensor() const { return scale.size() == 1; }
};

/// A borrowed dense row-major tensor. Arena tensors have 64 readable bytes behind them; a caller's
/// buffer has none, so reference kernels never read past the last element.
struct View {
  DType type = DType::kFloat32;
  Shape shape;
  Quant quant;
  void* data = nullptr;

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  template <typename T>
  T* mut() const {
    return static_cast<T*>(data);
  }
  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * DTypeSize(type); }
};

}  // namespace whit

#endif  // WHIT_KERNELS_TENSOR_H_
