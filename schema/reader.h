// From bytes to a proved model: what Open returns has every index, range, shape and size checked
// (schema/validate.cc), and nothing behind it checks them again.
#ifndef WHIT_SCHEMA_READER_H_
#define WHIT_SCHEMA_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "platform/aligned_buffer.h"
#include "platform/mapping.h"
#include "platform/secret_memory.h"
#include "platform/status.h"
#include "schema/format.h"
#include "schema/model_generated.h"
#include "schema/trust_generated.h"

namespace whit {

/// Limits of what a reader accepts; beyond them kOverBudget, before anything of that size is
/// allocated.
struct ReadLimits {
  uint64_t max_graph_bytes = 64ull << 20;  // graph section, and trust section likewise
  uint32_t max_tensors = 65'536;           // over all subgraphs
  uint32_t max_operators = 65'536;         // over all subgraphs
  bool allow_trailing_bytes =
      false;  // the mapping may be longer than the file (model in an archive, size unknown)
  bool allow_sealed = false;  // the caller opens the weights by SealedWeights before it reads them
};

/// A verified .whit file. Immutable; shared by any number of threads.
class ModelFile {
 public:
  /// Checks everything and takes the mapping over. Graph and trust are copied into owned memory
  /// first, so that bytes which change behind the mapping steer nothing. kInvalidModel,
  /// kUnsupported, kOverBudget or kOutOfMemory on failure, with a message naming the thing, the
  /// rule and both numbers.
  static Result<std::shared_ptr<const ModelFile>> Open(Mapping mapping,
                                                       const ReadLimits& limits = {});

  /// The graph, in owned memory. Present after Open, whatever the file left out: subgraphs (at
  /// least one), signatures (at least one), and in every table each vector or string that
  /// validate.cc calls required. Optional vectors may be null.
  const fbs::Model& graph() const { return *graph_; }
  /// The subgraph that signature 0 names: the one that is executed.
  const fbs::Subgraph& main_subgraph() const { return *main_; }
  const fbs::Signature& signature() const { return *graph_->signatures()->Get(0); }
  /// Null if the file has no trust section.
  const fbs::Trust* trust() const { return trust_; }
  const format::Header& header() const { return header_; }

  size_t blob_count() const { return graph_->blobs() ? graph_->blobs()->size() : 0; }
  /// Bytes of blob `index` inside the mapping: plain numbers, used in place. In a sealed file at
  /// addresses of their own, to be read under a lease of SealedWeights only. REQUIRES index <
  /// blob_count().
  std::span<const std::byte> blob(size_t index) const;

  /// The file in the mapping, header to end, and its sections there (empty: absent).
  std::span<const std::byte> file() const { return file_; }
  std::span<const std::byte> graph_section() const {
    return SectionBytes(format::SectionId::kGraph);
  }
  std::span<const std::byte> weights_section() const {
    return SectionBytes(format::SectionId::kWeights);
  }
  std::span<const std::byte> trust_section() const {
    return SectionBytes(format::SectionId::kTrust);
  }
  uint64_t file_bytes() const { return file_.size(); }
  /// Whether the weights section is encrypted.
  bool sealed() const { return sealed_; }
  /// Where the plain weights begin: in the mapping, or where SealedWeights shows them.
  const std::byte* plain_weights() const {
    return sealed_ ? plain_.data() : weights_section().data();
  }
  /// The owned copies that graph() and trust() read.
  std::span<const std::byte> graph_copy() const { return graph_bytes_.bytes(); }
  std::span<const std::byte> trust_copy() const { return trust_bytes_.bytes(); }
  /// Whether the weights are shared pages of the file.
  bool mapped() const { return mapping_.mapped(); }
  /// For the repair of flipped bits: file() lies in its bytes.
  const Mapping& mapping() const { return mapping_; }

  bool has_hash_tree() const;
  bool has_signature() const;

 private:
  ModelFile() = default;
  std::span<const std::byte> SectionBytes(format::SectionId id) const;
  Status ReadHeader(const ReadLimits& limits);
  Status ReadGraph(const ReadLimits& limits);
  Status ReadTrust(const ReadLimits& limits);
  Status ReadSeal(const ReadLimits& limits);

  Mapping mapping_;
  std::span<const std::byte> file_;
  format::Header header_{};
  AlignedBuffer graph_bytes_, trust_bytes_;
  bool sealed_ = false;
  ReservedRange plain_;  // sealed: addresses of the weights
  const fbs::Model* graph_ = nullptr;
  const fbs::Subgraph* main_ = nullptr;
  const fbs::Trust* trust_ = nullptr;
};

}  // namespace whit

#endif  // WHIT_SCHEMA_READER_H_
