// The digests of the trust section: leaves over pages of the file, a root over the leaves, and what
// a signature signs. schema/README.md, Trust.
#ifndef WHIT_SCHEMA_HASH_TREE_H_
#define WHIT_SCHEMA_HASH_TREE_H_

#include <cstdint>
#include <functional>
#include <span>

#include "platform/crypto.h"
#include "platform/status.h"
#include "schema/trust_generated.h"

namespace whit {

/// Of page `index`, which is shorter at the end of what is covered.
Digest LeafDigest(uint64_t index, std::span<const std::byte> page);

/// The leaves of bytes that come in pieces of any size.
class LeafStream {
 public:
  using Each = std::function<Status(uint64_t index, const Digest& leaf)>;
  LeafStream(uint64_t leaf_bytes, Each each);
  /// Calls `each` for every page that is full; ends where it fails.
  Status Update(std::span<const std::byte> bytes);
  /// And for the last one, if there is a rest.
  Status Finish();

 private:
  Status EndPage();

  uint64_t leaf_bytes_, index_ = 0, in_page_ = 0;
  Each each_;
  Hasher hasher_;
};

/// Over all leaves, one behind the other, and the sizes that say what they cover.
Digest RootDigest(uint64_t covered_bytes, uint32_t leaf_bytes, std::span<const std::byte> leaves);

/// What is signed: the trust section with zeros in place of the signature's 64 bytes. The tree in
/// it covers the rest of the file. `trust` is the root of `section`, and has a signature record.
Digest SignedDigest(std::span<const std::byte> section, const fbs::Trust& trust);

/// Bytes of a vector of a trust section (empty: absent).
inline std::span<const std::byte> BytesOf(const flatbuffers::Vector<uint8_t>* v) {
  if (v == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(v->data()), v->size()};
}

}  // namespace whit

#endif  // WHIT_SCHEMA_HASH_TREE_H_
