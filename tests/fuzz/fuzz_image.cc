// Any bytes as a picture: decoded, and made the size of a model's input.
#include "tests/fuzz/run_model.h"
#include "tools/whit/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace whit;
  const auto file = std::as_bytes(std::span(data, size));
  constexpr uint64_t kMostPixels = 2'000'000;  // beyond it the time goes into pixels
  for (int channels : {1, 3}) {
    auto image = tools::DecodeImage(file, "input", channels, kMostPixels);
    MustExplain(image.status());
    if (!image.ok()) continue;
    const auto count = static_cast<size_t>(image->width) * static_cast<size_t>(image->height);
    if (image->data.size() != count * static_cast<size_t>(channels)) std::abort();
    for (tools::Fit fit : {tools::Fit::kStretch, tools::Fit::kCrop}) {
      const auto resized = tools::Resize(*image, 7, 5, fit);
      if (resized.data.size() != 35 * static_cast<size_t>(channels)) std::abort();
    }
  }
  return 0;
}
