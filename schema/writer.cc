#include "schema/writer.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "platform/mapping.h"
#include "schema/file_parts.h"
#include "schema/format.h"
#include "schema/reader.h"

namespace whit {
namespace {

using format::AlignUp;

flatbuffers::DetachedBuffer Pack(const fbs::ModelT& model) {
  flatbuffers::FlatBufferBuilder builder;
  fbs::FinishModelBuffer(builder, fbs::Model::Pack(builder, &model));
  return builder.Release();
}

size_t HashOf(std::span<const std::byte> bytes) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

int FileWriter::AddBlob(std::span<const std::byte> bytes) {
  const size_t hash = HashOf(bytes);
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (std::ranges::equal(blob(it->second), bytes)) return it->second;
  }
  const int index = static_cast<int>(blobs_.size());
  blobs_.emplace_back(bytes.begin(), bytes.end());
  by_hash_.emplace(hash, index);
  return index;
}

Result<std::unique_ptr<FileParts>> FileWriter::Assemble() {
  auto parts = std::make_unique<FileParts>();
  graph.blobs.clear();
  uint64_t weights = 0;
  for (const std::vector<std::byte>& bytes : blobs_) {
    auto record = std::make_unique<fbs::BlobT>();
    record->offset = weights;
    record->size = bytes.size();
    graph.blobs.push_back(std::move(record));
    weights = AlignUp(weights + bytes.size(), format::kBlobAlignment);
  }
  parts->graph = Pack(graph);
  if (parts->graph.size() > ReadLimits().max_graph_bytes) {
    return Status(StatusCode::kOverBudget,
                  "the graph would have " + std::to_string(parts->graph.size()) +
                      " bytes, readers allow " + std::to_string(ReadLimits().max_graph_bytes));
  }

  uint64_t begin = parts->size;
  parts->Append(BytesOf(parts->graph));
  parts->EndSection(format::SectionId::kGraph, begin);
  if (weights > 0) {
    parts->PadTo(format::kWeightsAlignment);
    begin = parts->size;
    for (const std::vector<std::byte>& bytes : blobs_) {
      parts->Append(bytes);
      parts->PadTo(format::kBlobAlignment);
    }
    parts->EndSection(format::SectionId::kWeights, begin);
  }
  WHIT_RETURN_IF_ERROR(parts->Finish(trust.get()));
  return parts;
}

Result<std::vector<std::byte>> FileWriter::Serialize() {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<FileParts> parts, Assemble());
  return parts->Bytes();
}

Status FileWriter::Write(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<FileParts> parts, Assemble());
  return WriteFileAtomically(path, parts->chunks);
}

}  // namespace whit
