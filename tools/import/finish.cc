#include "tools/import/finish.h"

#include "platform/mapping.h"
#include "schema/format.h"
#include "schema/reader.h"
#include "tools/import/emit.h"
#include "tools/import/host_run.h"

#if WHIT_LIBSODIUM
#include <sodium.h>
#endif

namespace whit::tools {

Result<std::vector<std::byte>> FinishGraph(ImportState& state, Refusals refusals) {
  WHIT_RETURN_IF_ERROR(refusals.Refuse());
  RemoveDeadNodes(&state.graph);
  for (const GraphNode& node : state.graph.nodes)
    WHIT_RETURN_IF_ERROR(refusals.Collect(CheckNode(state.graph, node)));
  WHIT_RETURN_IF_ERROR(refusals.Refuse());
  state.report.operators = state.graph.nodes.size();
  FileWriter writer;
  Emit(std::move(state.graph), &writer);
  WHIT_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, writer.Serialize());
  auto opened = ModelFile::Open(Mapping::Borrow(bytes));
  if (!opened.ok())
    return Status(opened.status()).WithContext("the result is not a valid .whit file");
  return bytes;
}

void AddProvenance(Graph& graph, const std::string& format, std::span<const uint8_t> source) {
  auto& p = graph.provenance;
  p.emplace_back("tool", "whit import " WHIT_VERSION);
  p.emplace_back("source.format", format);
  p.emplace_back("source.bytes", std::to_string(source.size()));
  constexpr char kHex[] = "0123456789abcdef";
  std::string digest;
  const auto append = [&](uint8_t byte) {
    digest += kHex[byte >> 4];
    digest += kHex[byte & 15];
  };
#if WHIT_LIBSODIUM
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, source.data(), source.size());
  for (unsigned char byte : hash) append(byte);
  p.emplace_back("source.sha256", digest);
#else
  const uint64_t hash = format::Fnv1a64(std::as_bytes(source));
  for (int shift = 56; shift >= 0; shift -= 8) append(static_cast<uint8_t>(hash >> shift));
  p.emplace_back("source.fnv1a64", digest);
#endif
}

}  // namespace whit::tools
