// The fixed part of a .whit file: header, section table, alignments. Drawn and explained in
// schema/README.md.
#ifndef WHIT_SCHEMA_FORMAT_H_
#define WHIT_SCHEMA_FORMAT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace whit::format {

// Files are read in place, so the host must order bytes as the file does.
static_assert(std::endian::native == std::endian::little, "whit files and hosts are little-endian");

inline constexpr char kMagic[4] = {'W', 'H', 'I', 'T'};

// 0.x: no compatibility promise yet. A reader takes files of its own major version and of minor
// versions up to its own.
inline constexpr uint16_t kMajor = 0;
inline constexpr uint16_t kMinor = 1;

// One cache line, and one 64-byte step of a weight panel: a step never straddles two lines when the
// file is mapped whole.
inline constexpr uint64_t kBlobAlignment = 64;
// Pages of 16 KiB (Raspberry Pi 5, newer Android): weights share no page with the graph, and hash
// leaves are pages.
inline constexpr uint64_t kWeightsAlignment = 16384;
// FlatBuffers' largest scalar; graph and trust are copied before use, so this is all they need in
// the file.
inline constexpr uint64_t kSectionAlignment = 64;
// A model may start at any multiple of this inside an archive.
inline constexpr uint64_t kFileAlignment = 4;

// As many axes as the widest operators of the source formats take; shapes are plain values of this
// size everywhere.
inline constexpr uint64_t kMaxRank = 8;
// Elements of one tensor: element numbers and byte sizes then fit an int64 with room for any
// product of two.
inline constexpr uint64_t kMaxElements = (uint64_t{1} << 31) - 1;
// The newest semantics of any operator that this reader knows.
inline constexpr uint16_t kMaxOperatorVersion = 1;

constexpr uint64_t AlignUp(uint64_t offset, uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

enum class SectionId : uint32_t { kNone = 0, kGraph = 1, kWeights = 2, kTrust = 3 };

// A reader refuses a section with a flag it does not know in the upper half (must understand),
// ignores the lower half.
inline constexpr uint32_t kSectionSealed = 1u << 16;  // encrypted; of the weights section only
// Random bytes of a seal, the first of every page's nonce; the page's number is the rest (of 24).
inline constexpr size_t kSealRandomBytes = 16;
// What the trust section holds, told by the header too, which the hash tree covers: one changed bit
// in the section cannot make a reader believe that there never was a tree or a signature.
/// Golden samples of a file, at most: each is one more run of `whit verify --golden`.
inline constexpr uint32_t kMaxGolden = 64;
/// Of a sample's name, in bytes.
inline constexpr uint32_t kMaxGoldenName = 256;
/// The part of an operator's digest that is stored: it names a culprit, the outputs' digests prove.
inline constexpr uint32_t kOperatorDigestBytes = 8;

inline constexpr uint32_t kTrustHasTree = 1u << 0, kTrustHasSignature = 1u << 1;
inline constexpr uint32_t kMustUnderstandMask = 0xffff0000u;

struct Section {
  uint32_t id;  // SectionId; 0: unused entry
  uint32_t flags;
  uint64_t offset;  // from the start of the file
  uint64_t size;    // bytes
};
static_assert(sizeof(Section) == 24 && std::is_trivially_copyable_v<Section>);

inline constexpr size_t kSectionCount = 8;  // three are used; five in reserve

struct Header {
  char magic[4];
  uint16_t major;
  uint16_t minor;
  uint64_t file_size;  // bytes, header included
  Section sections[kSectionCount];
  uint8_t reserved[40];  // zero
  uint64_t checksum;     // HeaderChecksum of the 248 bytes before it
};
static_assert(sizeof(Header) == 256 && std::is_trivially_copyable_v<Header>);
static_assert(offsetof(Header, file_size) == 8 && offsetof(Header, sections) == 16);
static_assert(offsetof(Header, reserved) == 208 && offsetof(Header, checksum) == 248);

/// FNV-1a, 64 bits. Guards against accidents only (the trust section guards against attackers):
/// every step is a bijection, so one changed byte is always noticed; it is four lines, needs no
/// table and runs once over 248 bytes.
constexpr uint64_t Fnv1a64(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (std::byte b : bytes) hash = (hash ^ static_cast<uint64_t>(b)) * 0x100000001b3u;
  return hash;
}

inline uint64_t HeaderChecksum(const Header& header) {
  return Fnv1a64({reinterpret_cast<const std::byte*>(&header), offsetof(Header, checksum)});
}

}  // namespace whit::format

#endif  // WHIT_SCHEMA_FORMAT_H_
