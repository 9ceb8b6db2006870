#include "kernels/tensor.h"

namespace whit {

namespace {
struct TypeRow {
  const char* name;
  size_t size;
};
constexpr TypeRow kTypes[kDTypeCount] = {{"float32", 4}, {"int8", 1},   {"uint8", 1},
                                         {"int16", 2},   {"int32", 4},  {"int64", 8},
                                         {"bool", 1},    {"float16", 2}};
}  // namespace

size_t DTypeSize(DType type) { return kTypes[static_cast<size_t>(type)].size; }
const char* DTypeName(DType type) { return kTypes[static_cast<size_t>(type)].name; }

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (int64_t d : dims) dims_[static_cast<size_t>(rank_++)] = d;
}

Shape Shape::OfRank(int rank) {
  Shape s;
  s.rank_ = rank;
  for (int i = 0; i < rank; ++i) s[i] = 1;
  return s;
}

int64_t Shape::Product(int from, int to) const {
  int64_t product = 1;
  for (int i = from; i < to; ++i) product *= dims_[static_cast<size_t>(i)];
  return product;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i) {
    if ((*this)[i] != other[i]) return false;
  }
  return true;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ",";
    text += std::to_string((*this)[i]);
  }
  return text + "]";
}

}  // namespace whit
