// The shape of the trust section. Whether its digests and signatures are true is decided by who
// uses them.
#include <bit>

#include "platform/crypto.h"
#include "schema/format.h"
#include "schema/validate.h"
#include "schema/validate_internal.h"

namespace whit {

using std::to_string;
using validate::Bad;
using validate::Checker;
using validate::SizeOf;

namespace {

Status ExpectSize(const std::string& thing, const char* what, uint64_t got, uint64_t want) {
  if (got == want) return OkStatus();
  return Bad(thing, std::string(what) + " has " + to_string(got) + " bytes, " + to_string(want) +
                        " expected");
}

Status CheckLeafSize(const std::string& thing, uint32_t size) {
  // A leaf is a page of a system in use. The weights begin at a multiple of the largest one, so no
  // leaf holds both what is checked at once and what is checked before its first use.
  constexpr uint32_t kMin = 4096, kMax = format::kWeightsAlignment;
  if (std::has_single_bit(size) && size >= kMin && size <= kMax) return OkStatus();
  return Bad(thing, "leaf size " + to_string(size) + " is not a power of two in " +
                        to_string(kMin) + ".." + to_string(kMax));
}

Status CheckTree(const fbs::HashTree& tree, uint64_t covered_bytes) {
  const std::string thing = "trust: hash tree";
  WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "algorithm", static_cast<unsigned>(tree.algorithm()),
                                     static_cast<unsigned>(fbs::HashAlgorithm::MAX)));
  WHIT_RETURN_IF_ERROR(CheckLeafSize(thing, tree.leaf_size()));
  if (tree.algorithm() == fbs::HashAlgorithm::none) return OkStatus();
  const uint64_t leaves = (covered_bytes + tree.leaf_size() - 1) / tree.leaf_size();
  WHIT_RETURN_IF_ERROR(ExpectSize(thing, "root", SizeOf(tree.root()), kDigestBytes));
  return ExpectSize(thing, "list of leaves", SizeOf(tree.leaves()), leaves * kDigestBytes);
}

Status CheckSignatureRecord(const fbs::SignatureRecord& s) {
  const std::string thing = "trust: signature";
  WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "algorithm", static_cast<unsigned>(s.algorithm()),
                                     static_cast<unsigned>(fbs::SignatureAlgorithm::MAX)));
  if (s.algorithm() == fbs::SignatureAlgorithm::none) return OkStatus();
  WHIT_RETURN_IF_ERROR(ExpectSize(thing, "public key", SizeOf(s.public_key()), kPublicKeyBytes));
  return ExpectSize(thing, "signature", SizeOf(s.signature()), kSignatureBytes);
}

Status CheckSeal(const fbs::Seal& seal, uint64_t weights_bytes) {
  const std::string thing = "trust: seal";
  WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "cipher", static_cast<unsigned>(seal.cipher()),
                                     static_cast<unsigned>(fbs::Cipher::MAX)));
  WHIT_RETURN_IF_ERROR(CheckLeafSize(thing, seal.leaf_size()));
  if (seal.cipher() == fbs::Cipher::none) return OkStatus();
  const auto weights = static_cast<uint8_t>(format::SectionId::kWeights);
  if (SizeOf(seal.sections()) != 1 || seal.sections()->Get(0) != weights)
    return Bad(thing, "sections must be the weights (" + to_string(weights) + ") alone");
  const uint64_t pages = (weights_bytes + seal.leaf_size() - 1) / seal.leaf_size();
  if (pages == 0) return Bad(thing, "the file has no weights");
  WHIT_RETURN_IF_ERROR(ExpectSize(thing, "nonce", SizeOf(seal.nonces()), format::kSealRandomBytes));
  return ExpectSize(thing, "list of tags", SizeOf(seal.tags()), pages * kSealTagBytes);
}

}  // namespace

Status ValidateTrust(const fbs::Trust& trust, uint64_t covered_bytes, uint64_t weights_bytes) {
  if (trust.tree() != nullptr) WHIT_RETURN_IF_ERROR(CheckTree(*trust.tree(), covered_bytes));
  if (trust.signature() != nullptr) {
    WHIT_RETURN_IF_ERROR(CheckSignatureRecord(*trust.signature()));
    const bool tree =
        trust.tree() != nullptr && trust.tree()->algorithm() != fbs::HashAlgorithm::none;
    if (trust.signature()->algorithm() != fbs::SignatureAlgorithm::none && !tree)
      return Bad("trust: signature", "there is no hash tree, so it covers nothing");
  }
  return trust.seal() == nullptr ? OkStatus() : CheckSeal(*trust.seal(), weights_bytes);
}

}  // namespace whit
