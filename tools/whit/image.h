// Pictures: decoding, resizing, and feeding them to a model's input.
#ifndef WHIT_TOOLS_WHIT_IMAGE_H_
#define WHIT_TOOLS_WHIT_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "platform/status.h"
#include "runtime/whit.h"

namespace whit::tools {

/// Pixels 0..255, row-major, channels interleaved: [height][width][channels].
template <typename T>
struct Pixels {
  int width = 0, height = 0, channels = 0;
  std::vector<T> data;

  const T* at(int x, int y) const {
    return data.data() +
           (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) *
               static_cast<size_t>(channels);
  }
};
using Image = Pixels<uint8_t>;

/// A JPEG, PNG or BMP file with 1 (grey) or 3 (RGB) channels. Any bytes give an image or a message;
/// dimensions are limited before anything is decoded.
Result<Image> ReadImage(const std::string& path, int channels);
/// A 100 megapixel photograph is 300 MB decoded; a file of a few bytes may claim far more.
constexpr uint64_t kMaxPixels = 100'000'000;
/// The same of bytes in memory; `name` is what messages call them.
Result<Image> DecodeImage(std::span<const std::byte> file, const std::string& name, int channels,
                          uint64_t max_pixels = kMaxPixels);

enum class Fit : uint8_t { kStretch, kCrop };

/// Bilinear with half-pixel centres: out(x) samples in((x + 0.5) * in / out - 0.5). Where it
/// shrinks, the triangle is widened by the factor (antialiasing). kCrop first takes the largest
/// centred part of the target's proportions.
Pixels<float> Resize(const Image& image, int width, int height, Fit fit);

/// What turns pixels into a model's numbers. real = (pixel - mean) / std, one value or one per
/// channel.
struct Feeding {
  std::vector<float> mean, std;  // empty: not stated
  Fit fit = Fit::kStretch;
  bool bgr = false;
};

/// The file's own normalization, overridden by what the caller states.
Feeding FeedingOf(const Normalization& normalization, const std::vector<float>& mean,
                  const std::vector<float>& std, std::optional<Fit> fit);

/// Where the pixels of an image input go.
struct ImageInput {
  int width = 0, height = 0, channels = 0;
};
/// Accepts [H,W,C] with C = 1 or 3 behind leading ones, and [1,H,W].
Result<ImageInput> ImageInputOf(const TensorView& input);

/// Resizes, normalizes and quantizes `image` into `input`. Without mean and std: uint8 takes the
/// pixel, int8 the pixel minus 128, other quantized types and floats 0..1. REQUIRES image.channels
/// of ImageInputOf.
Status FeedImage(const Image& image, const Feeding& feeding, const TensorView& input);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_IMAGE_H_
