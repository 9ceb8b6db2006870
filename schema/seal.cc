#include "schema/seal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "schema/hash_tree.h"
#include "schema/sealed_weights.h"

namespace whit {
namespace {

constexpr uint64_t kPage = format::kWeightsAlignment;

// The parts of `file` with these weights in place of its own.
ResealedParts WithWeights(const ModelFile& file, std::vector<std::byte> weights, bool sealed) {
  ResealedParts out{std::move(weights), nullptr};
  out.parts = PartsOf(file, out.weights);
  for (format::Section& s : out.parts->header.sections) {
    if (s.id != static_cast<uint32_t>(format::SectionId::kWeights)) continue;
    s.flags = sealed ? s.flags | format::kSectionSealed : s.flags & ~format::kSectionSealed;
  }
  return out;
}

}  // namespace

SealNonce PageNonce(std::span<const std::byte> random, uint64_t page) {
  SealNonce nonce;
  std::ranges::copy(random.first<format::kSealRandomBytes>(), nonce.begin());
  for (size_t i = format::kSealRandomBytes; i < nonce.size(); ++i, page >>= 8)
    nonce[i] = static_cast<std::byte>(page & 0xff);
  return nonce;
}

Digest SealContext(const ModelFile& file) {
  return DigestOf("whit seal", file.weights_section().size(), file.graph_copy());
}

Result<ResealedParts> SealWeights(const ModelFile& file, const SealKey& key,
                                  const std::string& key_id, fbs::TrustT* trust) {
  if (file.sealed()) return Status(StatusCode::kUnsupported, "the file is sealed already");
  const std::span<const std::byte> plain = file.weights_section();
  if (plain.empty()) return Status(StatusCode::kUnsupported, "the file has no weights to seal");
  std::array<std::byte, format::kSealRandomBytes> random;
  FillRandom(random);
  auto seal = std::make_unique<fbs::SealT>();
  seal->cipher = fbs::Cipher::xchacha20_poly1305;
  seal->leaf_size = kPage;
  seal->nonces = CopyOf(random);
  seal->sections = {static_cast<uint8_t>(format::SectionId::kWeights)};
  seal->key_id = key_id;
  const Digest context = SealContext(file);
  std::vector<std::byte> sealed(plain.size());
  for (uint64_t page = 0; page * kPage < plain.size(); ++page) {
    const uint64_t at = page * kPage;
    const std::span<const std::byte> text = plain.subspan(
        static_cast<size_t>(at), static_cast<size_t>(std::min(kPage, plain.size() - at)));
    const SealTag tag = SealBytes(text, context, PageNonce(random, page), key, sealed.data() + at);
    const std::vector<uint8_t> raw = CopyOf(tag);
    seal->tags.insert(seal->tags.end(), raw.begin(), raw.end());
  }
  trust->seal = std::move(seal);
  return WithWeights(file, std::move(sealed), true);
}

Result<ResealedParts> UnsealWeights(const ModelFile& file, const SealKey& key, fbs::TrustT* trust) {
  if (!file.sealed()) return Status(StatusCode::kUnsupported, "the file is not sealed");
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<SealedWeights> sealed,
                        SealedWeights::Create(file, key, kPage));
  const size_t size = file.weights_section().size();
  std::vector<std::byte> plain(size);
  for (size_t at = 0; at < size; at += static_cast<size_t>(sealed->page_bytes())) {
    const std::span<const std::byte> page(file.plain_weights() + at,
                                          std::min<size_t>(sealed->page_bytes(), size - at));
    const PageRange range = sealed->PagesOf(page);
    WHIT_ASSIGN_OR_RETURN(const SealedWeights::Lease lease, sealed->Take({&range, 1}, nullptr));
    std::memcpy(plain.data() + at, page.data(), page.size());
  }
  trust->seal = nullptr;
  return WithWeights(file, std::move(plain), false);
}

}  // namespace whit
