// Writes .whit files: fill `graph` through the FlatBuffers object API, add blobs, then Write or
// Serialize.
#ifndef WHIT_SCHEMA_WRITER_H_
#define WHIT_SCHEMA_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/status.h"
#include "schema/model_generated.h"
#include "schema/trust_generated.h"

namespace whit {

struct FileParts;

/// Builds one file. The same calls give the same bytes on every machine. Not thread-safe.
class FileWriter {
 public:
  /// Everything but graph.blobs, which AddBlob fills.
  fbs::ModelT graph;
  /// Optional trust section; a `tree` in it is computed (NewHashTree).
  std::unique_ptr<fbs::TrustT> trust;

  /// Copies the bytes (may be empty) and returns the blob's index; equal contents share one blob.
  int AddBlob(std::span<const std::byte> bytes);
  /// The same of an array of plain numbers.
  template <typename T>
  int AddBlobOf(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return AddBlob(std::as_bytes(values));
  }
  std::span<const std::byte> blob(int index) const { return blobs_[static_cast<size_t>(index)]; }

  /// The file's bytes. Fails only if the graph is larger than a reader takes by default
  /// (ReadLimits).
  Result<std::vector<std::byte>> Serialize();

  /// Writes a temporary file beside `path` and renames it: a failure leaves nothing and an older
  /// `path` untouched. Does not validate; importers open the result with ModelFile::Open before
  /// they call this (see Serialize).
  Status Write(const std::string& path);

 private:
  Result<std::unique_ptr<FileParts>> Assemble();

  std::vector<std::vector<std::byte>> blobs_;
  std::unordered_multimap<uint64_t, int> by_hash_;
};

}  // namespace whit

#endif  // WHIT_SCHEMA_WRITER_H_
