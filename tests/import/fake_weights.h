// A file of weights in memory, for tests of what takes weights by name.
#ifndef WHIT_TESTS_IMPORT_FAKE_WEIGHTS_H_
#define WHIT_TESTS_IMPORT_FAKE_WEIGHTS_H_

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tools/import/weights/weights.h"

namespace whit::tools {

using Floats = std::vector<float>;

inline Floats Noise(size_t n, uint32_t seed, float lo = -1, float hi = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(lo, hi);
  Floats values(n);
  for (float& v : values) v = uniform(random);
  return values;
}

class FakeFile : public WeightFile {
 public:
  FakeFile() { format_ = "fake"; }
  void Add(const std::string& name, const std::vector<int64_t>& shape, const Floats& values) {
    TensorEntry entry;
    entry.name = name;
    entry.shape = shape;
    const auto bytes = std::as_bytes(std::span(values));
    data_.emplace_back(bytes.begin(), bytes.end());
    tensors_.push_back(entry);
  }
  void AddNoise(const std::string& name, const std::vector<int64_t>& shape, float lo = -0.5f,
                float hi = 0.5f) {
    size_t n = 1;
    for (int64_t d : shape) n *= static_cast<size_t>(d);
    Add(name, shape, Noise(n, static_cast<uint32_t>(data_.size() + 1), lo, hi));
  }
  void Say(const std::string& key, const std::string& text) { metadata_.emplace_back(key, text); }
  Floats Values(const std::string& name) const {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].name != name) continue;
      Floats values(data_[i].size() / sizeof(float));
      std::memcpy(values.data(), data_[i].data(), data_[i].size());
      return values;
    }
    return {};
  }
  void Remove(const std::string& name) {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].name != name) continue;
      tensors_.erase(tensors_.begin() + static_cast<ptrdiff_t>(i));
      data_.erase(data_.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
  }
  // Tensor i in another shape, with as many elements.
  void Reshape(size_t i, const std::vector<int64_t>& shape) {
    tensors_[i].shape = shape;
    data_[i].assign(tensors_[i].bytes(), std::byte{0});
  }
  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>*) const override {
    return std::span<const std::byte>(data_[i]);
  }

 private:
  std::vector<std::vector<std::byte>> data_;
};

}  // namespace whit::tools

#endif  // WHIT_TESTS_IMPORT_FAKE_WEIGHTS_H_
