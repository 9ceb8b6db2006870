#include "tools/import/finish.h"

#include <array>

#include "platform/crypto.h"
#include "platform/mapping.h"
#include "schema/file_parts.h"
#include "schema/format.h"
#include "schema/reader.h"
#include "tools/import/emit.h"
#include "tools/import/host_run.h"

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
  if (CryptoAvailable()) {
    writer.trust = std::make_unique<fbs::TrustT>();
    writer.trust->tree = NewHashTree();
  }
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
  if (CryptoAvailable()) {
    p.emplace_back("source.sha256", ToHex(Sha256Of(std::as_bytes(source))));
    return;
  }
  const uint64_t hash = format::Fnv1a64(std::as_bytes(source));
  std::array<std::byte, 8> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(hash >> (56 - 8 * i));
  p.emplace_back("source.fnv1a64", ToHex(bytes));
}

}  // namespace whit::tools
