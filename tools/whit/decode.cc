// stb_image, in one file: decoders of JPEG, PNG and BMP alone, from memory.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "platform/mapping.h"
#include "tools/whit/image.h"
#include "tools/whit/jpeg_walk.h"

namespace {

// A 100 megapixel photograph is 300 MB decoded; a file of a few bytes may claim far more.
constexpr uint64_t kMaxPixels = 100'000'000;
// The decoders' largest block: 100 megapixels of 4 channels and 16 bits. A small zip bomb inside of
// a PNG would grow beyond it.
constexpr size_t kMaxBlock = 8 * kMaxPixels;

void* AllocateBlock(size_t bytes) { return bytes > kMaxBlock ? nullptr : std::malloc(bytes); }
void* GrowBlock(void* block, size_t bytes) {
  return bytes > kMaxBlock ? nullptr : std::realloc(block, bytes);
}

}  // namespace

#define STBI_MALLOC(bytes) AllocateBlock(bytes)
#define STBI_REALLOC(block, bytes) GrowBlock(block, bytes)
#define STBI_FREE(block) std::free(block)

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

constexpr uint64_t kMaxPictureBytes = 256ull << 20;

// The passes of a progressive JPEG. Cameras and editors write about ten; each costs the whole
// picture, however few bytes it takes, so a small file could ask for hours.
constexpr size_t kMaxScans = 256;

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

}  // namespace

Result<Image> ReadImage(const std::string& path, int channels) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> file, ReadWholeFile(path, kMaxPictureBytes));
  return DecodeImage(file, path, channels);
}

Result<Image> DecodeImage(std::span<const std::byte> file, const std::string& name, int channels) {
  const auto* bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const int length = static_cast<int>(file.size());
  int width = 0, height = 0, stored = 0;
  auto refuse = [&](const std::string& why) {
    return Status(StatusCode::kRuntime,
                  name + ": not a JPEG, PNG or BMP picture that can be read (" + why + ")");
  };
  // Before the decoder sees a byte. Anything that begins with 0xff may be a JPEG to it.
  const bool jpeg = length > 0 && bytes[0] == 0xff;
  const JpegWork work = jpeg ? WalkJpeg(file) : JpegWork{};
  if (work.scans > kMaxScans) {
    return refuse(std::to_string(work.scans) + " scans, at most " + std::to_string(kMaxScans) +
                  " are read");
  }
  if (work.most_codes > 256) {
    return refuse("a Huffman table of " + std::to_string(work.most_codes) +
                  " codes, a byte has 256 values");
  }
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
