// A .whit file in pieces, on its way to be written: the header, the body, and the trust section
// that covers both. What makes new files (FileWriter) and what signs or seals old ones ends here.
#ifndef WHIT_SCHEMA_FILE_PARTS_H_
#define WHIT_SCHEMA_FILE_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "platform/crypto.h"
#include "platform/status.h"
#include "schema/format.h"
#include "schema/reader.h"

namespace whit {

/// Chunks borrow from the members, from each other and from what they were made of; so it does not
/// move.
struct FileParts {
  FileParts();
  FileParts(const FileParts&) = delete;
  FileParts& operator=(const FileParts&) = delete;

  format::Header header{};  // complete after Finish
  flatbuffers::DetachedBuffer graph, trust;
  std::vector<std::span<const std::byte>> chunks;  // header first
  uint64_t size = 0;

  void Append(std::span<const std::byte> bytes);
  void PadTo(uint64_t alignment);
  /// Section `id` begins at `begin` and ends here. There is room for format::kSectionCount of them.
  void EndSection(format::SectionId id, uint64_t begin, uint32_t flags = 0);

  /// Appends the trust section (null: none) and completes the header. A `tree` in it is computed
  /// here, over everything before the section; with `key` the file is signed, which needs a tree.
  /// kUnsupported where this build has no libsodium.
  Status Finish(fbs::TrustT* trust_section, const SigningKey* key = nullptr);

  std::vector<std::byte> Bytes() const;
};

inline std::span<const std::byte> BytesOf(const flatbuffers::DetachedBuffer& buffer) {
  return {reinterpret_cast<const std::byte*>(buffer.data()), buffer.size()};
}

/// Header and body of an open file, without its trust section; borrows from `file`. With `weights`,
/// which are as long as its own, those in their place.
std::unique_ptr<FileParts> PartsOf(const ModelFile& file, std::span<const std::byte> weights = {});

/// As an object of the trust section holds bytes.
std::vector<uint8_t> CopyOf(std::span<const std::byte> bytes);

/// The trust section of an open file, to be finished anew: with a tree, also where it has none.
fbs::TrustT TrustOf(const ModelFile& file);

/// A tree to be computed by FileParts::Finish.
std::unique_ptr<fbs::HashTreeT> NewHashTree();

}  // namespace whit

#endif  // WHIT_SCHEMA_FILE_PARTS_H_
