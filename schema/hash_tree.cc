#include "schema/hash_tree.h"

#include <algorithm>
#include <array>
#include <utility>

namespace whit {

namespace {

constexpr std::string_view kLeaf = "whit leaf", kTree = "whit tree", kSigned = "whit signature";

}  // namespace

Digest LeafDigest(uint64_t index, std::span<const std::byte> page) {
  return DigestOf(kLeaf, index, page);
}

LeafStream::LeafStream(uint64_t leaf_bytes, Each each)
    : leaf_bytes_(leaf_bytes), each_(std::move(each)), hasher_(kLeaf) {}

Status LeafStream::Update(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto take = static_cast<size_t>(std::min<uint64_t>(bytes.size(), leaf_bytes_ - in_page_));
    hasher_.Update(bytes.first(take));
    bytes = bytes.subspan(take);
    in_page_ += take;
    if (in_page_ == leaf_bytes_) WHIT_RETURN_IF_ERROR(EndPage());
  }
  return OkStatus();
}

Status LeafStream::Finish() { return in_page_ > 0 ? EndPage() : OkStatus(); }

Status LeafStream::EndPage() {
  const Status status = each_(index_, hasher_.Finish());
  in_page_ = 0;
  hasher_ = Hasher(kLeaf, ++index_);
  return status;
}

Digest RootDigest(uint64_t covered_bytes, uint32_t leaf_bytes, std::span<const std::byte> leaves) {
  std::array<std::byte, 12> sizes;
  for (size_t i = 0; i < 8; ++i) sizes[i] = static_cast<std::byte>(covered_bytes >> (8 * i));
  for (size_t i = 0; i < 4; ++i) sizes[8 + i] = static_cast<std::byte>(leaf_bytes >> (8 * i));
  Hasher hasher(kTree);
  hasher.Update(sizes);
  hasher.Update(leaves);
  return hasher.Finish();
}

Digest SignedDigest(std::span<const std::byte> section, const fbs::Trust& trust) {
  static constexpr std::array<std::byte, kSignatureBytes> kNoSignature{};
  const std::byte* signature = BytesOf(trust.signature()->signature()).data();
  const auto before = static_cast<size_t>(signature - section.data());
  Hasher hasher(kSigned);
  hasher.Update(section.first(before));
  hasher.Update(kNoSignature);
  hasher.Update(section.subspan(before + kNoSignature.size()));
  return hasher.Finish();
}

}  // namespace whit
