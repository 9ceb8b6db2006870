// stb_image, in one file: decoders of JPEG, PNG and BMP alone, from memory.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "platform/mapping.h"
#include "tools/whit/image.h"
#include "tools/whit/jpeg_walk.h"

namespace {

// The decoders' largest block: 100 megapixels of 4 channels and 16 bits. A small zip bomb inside of
// a PNG would grow beyond it.
constexpr size_t kMaxBlock = 8 * whit::tools::kMaxPixels;

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
constexpr size_t kMaxCodes = 255;  // JpegWork::most_codes

// Pixels times scans: a second or ten.
constexpr uint64_t kMaxDecodedPixels = 2'000'000'000;

// What decoders would fill up with zeros, in a time that has nothing to do with the file's length.
// A BMP's rows are not compressed. Every 64 values of a JPEG take one bit at least, in its first
// scan.
uint64_t LeastBytes(std::span<const std::byte> file, uint64_t pixels, bool jpeg) {
  if (jpeg) return pixels / 512;
  const auto at = [&](size_t i) { return i < file.size() ? static_cast<uint64_t>(file[i]) : 0; };
  if (at(0) != 'B' || at(1) != 'M') return 0;
  const size_t bits = at(14) == 12 ? 24 : 28;  // of the oldest header, of all others
  return pixels * (at(bits) | at(bits + 1) << 8) / 8;
}

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

}  // namespace

Result<Image> ReadImage(const std::string& path, int channels) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> file, ReadWholeFile(path, kMaxPictureBytes));
  return DecodeImage(file, path, channels);
}

Result<Image> DecodeImage(std::span<const std::byte> file, const std::string& name, int channels,
                          uint64_t max_pixels) {
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
  if (work.most_codes > kMaxCodes) {
    return refuse("a Huffman table of " + std::to_string(work.most_codes) + " codes, at most " +
                  std::to_string(kMaxCodes) + " are read");
  }
  if (work.undefined_table) return refuse("a scan without its Huffman table");
  if (stbi_info_from_memory(bytes, length, &width, &height, &stored) == 0)
    return refuse(stbi_failure_reason());
  const uint64_t pixels = static_cast<uint64_t>(width) * static_cast<uint64_t>(height);
  if (width <= 0 || height <= 0 || pixels > max_pixels) {
    return refuse(std::to_string(width) + " x " + std::to_string(height) + " pixels, at most " +
                  std::to_string(max_pixels) + " are read");
  }
  if (const uint64_t least = LeastBytes(file, pixels, jpeg); file.size() < least) {
    return refuse(std::to_string(file.size()) + " bytes, so many pixels take " +
                  std::to_string(least) + " at least");
  }
  if (pixels * work.scans > kMaxDecodedPixels) {
    return refuse(std::to_string(work.scans) + " scans of " + std::to_string(pixels) +
                  " pixels, at most " + std::to_string(kMaxDecodedPixels) + " are decoded");
  }
  const std::unique_ptr<stbi_uc, FreePixels> decoded(
      stbi_load_from_memory(bytes, length, &width, &height, &stored, channels));
  if (decoded == nullptr) return refuse(stbi_failure_reason());
  Image image{width, height, channels, {}};
  const size_t count =
      static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  image.data.assign(decoded.get(), decoded.get() + count);
  return image;
}

}  // namespace whit::tools
