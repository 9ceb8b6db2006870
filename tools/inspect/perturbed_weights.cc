#include "tools/inspect/perturbed_weights.h"

#include <algorithm>
#include <cmath>

#include "tools/inspect/quantization_noise.h"

namespace whit::tools {

namespace {

// One scale a channel, or one for all.
void Quantize(const ChannelLayout& layout, double most, std::vector<float>* values) {
  std::vector<double> largest(layout.channels);
  const auto channel = [&](size_t i) { return i / layout.inner % layout.channels; };
  for (size_t i = 0; i < values->size(); ++i) {
    const double size = std::fabs((*values)[i]);
    if (std::isfinite(size)) largest[channel(i)] = std::max(largest[channel(i)], size);
  }
  std::vector<SymmetricRounding> roundings;
  for (const double l : largest) roundings.emplace_back(l, most);
  for (size_t i = 0; i < values->size(); ++i) {
    float& v = (*values)[i];
    if (std::isfinite(v)) v = static_cast<float>(roundings[channel(i)](v));
  }
}

class PerturbedWeights : public WeightFile {
 public:
  PerturbedWeights(const WeightFile& base, size_t i, Perturbation how, size_t element)
      : base_(base), changed_(i), how_(how), element_(element) {
    format_ = base.format();
    tensors_ = base.tensors();
    if (how != Perturbation::kNone && IsFloating(tensors_[i].type))
      tensors_[i].type = ElementType::kFloat32;
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    if (i != changed_ || how_ == Perturbation::kNone) return base_.Read(i, scratch);
    if (IsFloating(tensors_[i].type)) {
      WHIT_ASSIGN_OR_RETURN(std::vector<float> values, ReadFloats(base_, i));
      ChangeFloats(i, &values);
      const auto bytes = std::as_bytes(std::span<const float>(values));
      scratch->assign(bytes.begin(), bytes.end());
    } else {
      std::vector<std::byte> own;
      WHIT_ASSIGN_OR_RETURN(const auto bytes, base_.Read(i, &own));
      scratch->assign(bytes.begin(), bytes.end());
      ChangeCodes(i, scratch);
    }
    return std::span<const std::byte>(*scratch);
  }

 private:
  void ChangeFloats(size_t i, std::vector<float>* values) const {
    ChannelLayout layout = ChannelsOf(tensors_[i], format_);
    switch (how_) {
      case Perturbation::kInt8:
        layout.channels = 1;
        return Quantize(layout, 127, values);
      case Perturbation::kInt4:
        return Quantize(layout, 7, values);
      default:
        (*values)[element_] = 0;
    }
  }

  void ChangeCodes(size_t i, std::vector<std::byte>* codes) const {
    const AffineCodes& stated = tensors_[i].codes;
    if (how_ == Perturbation::kRemove) {
      const ChannelLayout layout = ChannelsOf(tensors_[i], format_);
      const size_t channel = element_ / layout.inner % layout.channels;
      const size_t zeros = stated.zero_point.size();
      const int64_t zero = zeros == 0 ? 0 : stated.zero_point[zeros == 1 ? 0 : channel];
      (*codes)[element_] = static_cast<std::byte>(zero);
      return;
    }
    for (std::byte& b : *codes) {
      // To the nearest multiple of 16, -112..112: fifteen codes, as -7..7 of a scale 16 times as
      // wide.
      const int code = static_cast<int8_t>(b);
      const int steps = std::clamp(static_cast<int>(std::lround(code / 16.0)), -7, 7);
      b = static_cast<std::byte>(steps * 16);
    }
  }

  const WeightFile& base_;
  size_t changed_;
  Perturbation how_;
  size_t element_;
};

}  // namespace

bool CanPerturb(const TensorEntry& entry, Perturbation how) {
  if (!entry.refused.empty() || entry.elements() == 0 || entry.shape.size() < 2) return false;
  if (IsFloating(entry.type)) return true;
  return entry.type == ElementType::kInt8 && how != Perturbation::kInt8;
}

std::unique_ptr<WeightFile> Perturb(const WeightFile& base, size_t i, Perturbation how,
                                    size_t element) {
  return std::make_unique<PerturbedWeights>(base, i, how, element);
}

}  // namespace whit::tools
