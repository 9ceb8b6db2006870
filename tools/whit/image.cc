#include "tools/whit/image.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

// Which source pixels one target pixel mixes along one axis.
struct Taps {
  int first = 0;
  std::vector<float> weights;  // sum 1
};

// Target pixel i of `out` covers [begin + i * scale, begin + (i + 1) * scale) of the source.
std::vector<Taps> AxisTaps(int in, double begin, double length, int out) {
  const double scale = length / out;
  const double radius = std::max(1.0, scale);
  std::vector<Taps> all;
  for (int i = 0; i < out; ++i) {
    const double center = begin + (i + 0.5) * scale - 0.5;
    const int first = std::max(0, static_cast<int>(std::ceil(center - radius)));
    const int last = std::min(in - 1, static_cast<int>(std::floor(center + radius)));
    Taps taps{first, {}};
    double sum = 0;
    for (int k = first; k <= last; ++k) {
      const double weight = std::max(0.0, 1 - std::abs(k - center) / radius);
      taps.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    // Beyond the border the edge pixel stands for itself: what is missing of the triangle is left
    // out.
    for (float& w : taps.weights) w = static_cast<float>(w / sum);
    all.push_back(std::move(taps));
  }
  return all;
}

struct Part {
  double x = 0, y = 0, width = 0, height = 0;
};

Part SourcePart(const Image& image, int width, int height, Fit fit) {
  Part part{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  if (fit == Fit::kStretch) return part;
  const double want = static_cast<double>(width) / height;
  if (part.width > part.height * want) {
    part.x = (part.width - part.height * want) / 2;
    part.width = part.height * want;
  } else {
    part.y = (part.height - part.width / want) / 2;
    part.height = part.width / want;
  }
  return part;
}

float At(const std::vector<float>& values, int channel) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(channel)];
}

template <typename T>
T Saturate(float value) {
  const float lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
  return static_cast<T>(std::clamp(std::nearbyint(value), lo, hi));
}

// A resized pixel as the number that the input stores, before rounding.
class Normalizer {
 public:
  Normalizer(const Feeding& feeding, const TensorView& input) : feeding_(feeding), input_(input) {}

  float operator()(float pixel, int channel) const {
    if (feeding_.mean.empty() && input_.type == Type::kUint8) return pixel;
    if (feeding_.mean.empty() && input_.type == Type::kInt8) return pixel - 128;
    const float real = feeding_.mean.empty()
                           ? pixel / 255
                           : (pixel - At(feeding_.mean, channel)) / At(feeding_.std, channel);
    if (input_.scale == 0) return real;
    return real / input_.scale + static_cast<float>(input_.zero_point);
  }

 private:
  const Feeding& feeding_;
  const TensorView& input_;
};

template <typename T, typename Round>
void Store(const Pixels<float>& pixels, const Feeding& feeding, const TensorView& input,
           Round round) {
  const Normalizer normalize(feeding, input);
  const auto channels = static_cast<size_t>(pixels.channels);
  const std::span<T> out = input.as<T>();
  for (size_t i = 0; i < pixels.data.size(); ++i) {
    const size_t c = i % channels;
    const size_t source = feeding.bgr ? i - c + (channels - 1 - c) : i;
    out[i] = round(normalize(pixels.data[source], static_cast<int>(c)));
  }
}

}  // namespace

Pixels<float> Resize(const Image& image, int width, int height, Fit fit) {
  const Part part = SourcePart(image, width, height, fit);
  const auto columns = AxisTaps(image.width, part.x, part.width, width);
  const auto rows = AxisTaps(image.height, part.y, part.height, height);
  const int channels = image.channels;
  const size_t row_elems = static_cast<size_t>(width) * static_cast<size_t>(channels);

  Pixels<float> out{width, height, channels,
                    std::vector<float>(static_cast<size_t>(height) * row_elems)};
  // Rows first: one mixed source row at a time, so a large photograph needs no second copy.
  std::vector<float> mixed(static_cast<size_t>(image.width) * static_cast<size_t>(channels));
  for (int y = 0; y < height; ++y) {
    std::fill(mixed.begin(), mixed.end(), 0.0f);
    const Taps& vertical = rows[static_cast<size_t>(y)];
    for (size_t k = 0; k < vertical.weights.size(); ++k) {
      const uint8_t* source = image.at(0, vertical.first + static_cast<int>(k));
      for (size_t i = 0; i < mixed.size(); ++i)
        mixed[i] += vertical.weights[k] * static_cast<float>(source[i]);
    }
    float* target = out.data.data() + static_cast<size_t>(y) * row_elems;
    for (const Taps& taps : columns) {
      const float* source =
          mixed.data() + static_cast<size_t>(taps.first) * static_cast<size_t>(channels);
      for (int c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t k = 0; k < taps.weights.size(); ++k) {
          sum +=
              taps.weights[k] * source[k * static_cast<size_t>(channels) + static_cast<size_t>(c)];
        }
        *target++ = sum;
      }
    }
  }
  return out;
}

Feeding FeedingOf(const Normalization& normalization, const std::vector<float>& mean,
                  const std::vector<float>& std, std::optional<Fit> fit) {
  Feeding feeding;
  feeding.mean = normalization.mean;
  feeding.std = normalization.std;
  if (!mean.empty()) feeding.mean = mean;
  if (!std.empty()) feeding.std = std;
  // One of the two alone: the other has no effect.
  if (feeding.mean.empty() && !feeding.std.empty()) feeding.mean = {0};
  if (feeding.std.empty() && !feeding.mean.empty()) feeding.std = {1};
  feeding.fit = normalization.resize == Normalization::Resize::kCrop ? Fit::kCrop : Fit::kStretch;
  if (fit.has_value()) feeding.fit = *fit;
  feeding.bgr = normalization.channels == Normalization::Channels::kBgr;
  return feeding;
}

Result<ImageInput> ImageInputOf(const TensorView& input) {
  std::span<const int64_t> shape = input.shape;
  while (shape.size() > 3 && shape.front() == 1) shape = shape.subspan(1);
  ImageInput out;
  const bool plane = shape.size() == 3 && shape[0] == 1 && shape[2] != 1 && shape[2] != 3;
  const std::array<int64_t, 3> hwc = plane ? std::array<int64_t, 3>{shape[1], shape[2], 1}
                                     : shape.size() == 3
                                         ? std::array<int64_t, 3>{shape[0], shape[1], shape[2]}
                                         : std::array<int64_t, 3>{0, 0, 0};
  constexpr int64_t kMaxSide = 16384;
  const bool good = hwc[0] > 0 && hwc[1] > 0 && hwc[0] <= kMaxSide && hwc[1] <= kMaxSide &&
                    (hwc[2] == 1 || hwc[2] == 3);
  if (!good) {
    return Status(StatusCode::kRuntime, "input '" + std::string(input.name) + "' is " +
                                            TypeAndShape(input) +
                                            ", a picture needs [1,height,width,1 or 3]");
  }
  return ImageInput{static_cast<int>(hwc[1]), static_cast<int>(hwc[0]), static_cast<int>(hwc[2])};
}

Status FeedImage(const Image& image, const Feeding& feeding, const TensorView& input) {
  WHIT_ASSIGN_OR_RETURN(const ImageInput place, ImageInputOf(input));
  for (const auto* values : {&feeding.mean, &feeding.std}) {
    if (values->empty() || values->size() == 1 ||
        values->size() == static_cast<size_t>(place.channels))
      continue;
    return Status(StatusCode::kInvalidArgument, "mean and std need 1 or " +
                                                    std::to_string(place.channels) + " values, " +
                                                    std::to_string(values->size()) + " are given");
  }
  for (float s : feeding.std) {
    if (s == 0 || !std::isfinite(s))
      return Status(StatusCode::kInvalidArgument, "std must be finite and not 0");
  }
  const Pixels<float> pixels = Resize(image, place.width, place.height, feeding.fit);
  switch (input.type) {
    case Type::kUint8:
      Store<uint8_t>(pixels, feeding, input, Saturate<uint8_t>);
      return OkStatus();
    case Type::kInt8:
      Store<int8_t>(pixels, feeding, input, Saturate<int8_t>);
      return OkStatus();
    case Type::kInt16:
      Store<int16_t>(pixels, feeding, input, Saturate<int16_t>);
      return OkStatus();
    case Type::kFloat32:
      Store<float>(pixels, feeding, input, [](float v) { return v; });
      return OkStatus();
    default:
      return Status(StatusCode::kRuntime, "input '" + std::string(input.name) + "' is " +
                                              TypeAndShape(input) +
                                              ", pictures go to uint8, int8, int16 or float32");
  }
}

}  // namespace whit::tools
