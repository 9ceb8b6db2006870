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
using validate::Vec;

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

// Of the model's inputs together, named dimensions at their own values.
uint64_t InputBytes(const fbs::Model& model) {
  const fbs::Signature& signature = *model.signatures()->Get(0);
  const auto& tensors = *model.subgraphs()->Get(signature.subgraph())->tensors();
  uint64_t sum = 0;
  for (const fbs::Io* io : *signature.inputs()) {
    const fbs::Tensor& tensor = *tensors.Get(io->tensor());
    uint64_t bytes = validate::TypeBytes(tensor.type());
    for (unsigned d = 0; d < SizeOf(tensor.shape()); ++d) {
      const int32_t var = SizeOf(tensor.dim_vars()) == 0 ? -1 : tensor.dim_vars()->Get(d);
      bytes *=
          var < 0 ? tensor.shape()->Get(d) : model.dims()->Get(static_cast<unsigned>(var))->value();
    }
    sum += bytes;
  }
  return sum;
}

Status CheckGolden(const Vec<flatbuffers::Offset<fbs::Golden>>& golden, const fbs::Model& model) {
  if (golden.size() > format::kMaxGolden) {
    return Bad("trust", to_string(golden.size()) + " golden samples, at most " +
                            to_string(format::kMaxGolden) + " are allowed");
  }
  const fbs::Signature& signature = *model.signatures()->Get(0);
  const uint64_t inputs = InputBytes(model), outputs = SizeOf(signature.outputs()),
                 operators = SizeOf(model.subgraphs()->Get(signature.subgraph())->operators());
  for (unsigned i = 0; i < golden.size(); ++i) {
    const fbs::Golden& g = *golden.Get(i);
    const std::string thing = validate::Named("trust: golden sample", i, g.name());
    if (g.name() != nullptr && g.name()->size() > format::kMaxGoldenName) {
      return Bad(thing, "its name has " + to_string(g.name()->size()) + " bytes, at most " +
                            to_string(format::kMaxGoldenName) + " are allowed");
    }
    WHIT_RETURN_IF_ERROR(ExpectSize(thing, "list of inputs", SizeOf(g.inputs()), inputs));
    WHIT_RETURN_IF_ERROR(ExpectSize(thing, "list of output digests", SizeOf(g.output_digests()),
                                    outputs * kDigestBytes));
    WHIT_RETURN_IF_ERROR(ExpectSize(thing, "list of operator digests", SizeOf(g.operator_digests()),
                                    operators * format::kOperatorDigestBytes));
  }
  return OkStatus();
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

Status ValidateTrust(const fbs::Trust& trust, const fbs::Model& model, uint64_t covered_bytes,
                     uint64_t weights_bytes) {
  if (trust.tree() != nullptr) WHIT_RETURN_IF_ERROR(CheckTree(*trust.tree(), covered_bytes));
  if (trust.signature() != nullptr) {
    WHIT_RETURN_IF_ERROR(CheckSignatureRecord(*trust.signature()));
    const bool tree =
        trust.tree() != nullptr && trust.tree()->algorithm() != fbs::HashAlgorithm::none;
    if (trust.signature()->algorithm() != fbs::SignatureAlgorithm::none && !tree)
      return Bad("trust: signature", "there is no hash tree, so it covers nothing");
  }
  if (trust.seal() != nullptr) WHIT_RETURN_IF_ERROR(CheckSeal(*trust.seal(), weights_bytes));
  return trust.golden() == nullptr ? OkStatus() : CheckGolden(*trust.golden(), model);
}

}  // namespace whit
