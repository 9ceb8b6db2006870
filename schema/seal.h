// Sealing: the weights of a file encrypted page by page. schema/README.md, Sealing.
#ifndef WHIT_SCHEMA_SEAL_H_
#define WHIT_SCHEMA_SEAL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "platform/crypto.h"
#include "platform/status.h"
#include "schema/file_parts.h"
#include "schema/reader.h"

namespace whit {

/// Of page `page`; `random` has at least format::kSealRandomBytes.
SealNonce PageNonce(std::span<const std::byte> random, uint64_t page);

/// What every page is tied to: the graph that reads it, and how long the weights are. Pages of
/// another model do not open here, nor do these there.
Digest SealContext(const ModelFile& file);

/// A file with other weights; not finished. Borrows from the file that it was made of.
struct ResealedParts {
  std::vector<std::byte> weights;
  std::unique_ptr<FileParts> parts;
};

/// The weights of `file` under `key`, which `key_id` names for whoever has to find it. Fills the
/// seal of `trust`. kUnsupported where the file is sealed or has no weights.
Result<ResealedParts> SealWeights(const ModelFile& file, const SealKey& key,
                                  const std::string& key_id, fbs::TrustT* trust);
/// The opposite. kIntegrity where a page does not open.
Result<ResealedParts> UnsealWeights(const ModelFile& file, const SealKey& key, fbs::TrustT* trust);

}  // namespace whit

#endif  // WHIT_SCHEMA_SEAL_H_
