// stb_image, in one file: decoders of JPEG, PNG and BMP alone, from memory.
#include <algorithm>
#include <memory>

#include "platform/mapping.h"
#include "tools/whit/image.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_ASSERT(x) ((void)0)
#define STBI_MAX_DIMENSIONS 32768
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace whit::tools {

namespace {

constexpr uint64_t kMaxFileBytes = 256ull << 20;
// A 100 megapixel photograph is 300 MB decoded; a file of a few bytes may claim far more.
constexpr uint64_t kMaxPixels = 100'000'000;

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

}  // namespace

Result<Image> ReadImage(const std::string& path, int channels) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> file, ReadWholeFile(path, kMaxFileBytes));
  const auto* bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const int length = static_cast<int>(file.size());
  int width = 0, height = 0, stored = 0;
  auto refuse = [&](const std::string& why) {
    return Status(StatusCode::kRuntime,
                  path + ": not a JPEG, PNG or BMP picture that can be read (" + why + ")");
  };
  if (stbi_info_from_memory(bytes, length, &width, &height, &stored) == 0)
    return refuse(stbi_failure_reason());
  if (width <= 0 || height <= 0 ||
      static_cast<uint64_t>(width) * static_cast<uint64_t>(height) > kMaxPixels) {
    return refuse(std::to_string(width) + " x " + std::to_string(height) + " pixels, at most " +
                  std::to_string(kMaxPixels) + " are read");
  }
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(bytes, length, &width, &height, &stored, channels));
  if (pixels == nullptr) return refuse(stbi_failure_reason());
  Image image{width, height, channels, {}};
  const size_t count =
      static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  image.data.assign(pixels.get(), pixels.get() + count);
  return image;
}

}  // namespace whit::tools
