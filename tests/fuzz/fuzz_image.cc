// Any bytes as a picture: decoded, and made the size of a model's input.
#include "tests/fuzz/run_model.h"
#include "tools/whit/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace whit;
  const auto file = std::as_bytes(std::span(data, size));
  for (int channels : {1, 3}) {
    auto image = tools::DecodeImage(file, "input", channels);
    MustExplain(image.status());
    if (!image.ok()) continue;
    const auto count = static_cast<size_t>(image->width) * static_cast<size_t>(image->height);
    if (image->data.size() != count * static_cast<size_t>(channels)) std::abort();
    // Beyond this the time goes into pixels, not into the bytes of the file.
    if (count > 1'000'000) continue;
    for (tools::Fit fit : {tools::Fit::kStretch, tools::Fit::kCrop}) {
      const auto resized = tools::Resize(*image, 7, 5, fit);
      if (resized.data.size() != 35 * static_cast<size_t>(channels)) std::abort();
    }
  }
  return 0;
}
