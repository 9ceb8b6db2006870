#include "schema/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "platform/mapping.h"
#include "schema/format.h"
#include "schema/reader.h"

namespace whit {
namespace {

constexpr std::array<std::byte, format::kWeightsAlignment>
    kZeros{};  // padding never reaches one weights alignment

constexpr uint64_t AlignUp(uint64_t offset, uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

std::span<const std::byte> BytesOf(const flatbuffers::DetachedBuffer& buffer) {
  return {reinterpret_cast<const std::byte*>(buffer.data()), buffer.size()};
}

template <typename T, typename Finish>
flatbuffers::DetachedBuffer Pack(const T& object, Finish finish) {
  flatbuffers::FlatBufferBuilder builder;
  finish(builder, T::TableType::Pack(builder, &object));
  return builder.Release();
}

size_t HashOf(std::span<const std::byte> bytes) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

// The file in pieces that borrow from each other and from the writer.
struct FileWriter::Parts {
  format::Header header{};
  flatbuffers::DetachedBuffer graph, trust;
  std::vector<std::span<const std::byte>> chunks;  // header first
  uint64_t size = 0;

  void Append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    chunks.push_back(bytes);
    size += bytes.size();
  }
  void PadTo(uint64_t alignment) {
    Append(std::span(kZeros).first(static_cast<size_t>(AlignUp(size, alignment) - size)));
  }
  void EndSection(size_t entry, format::SectionId id, uint64_t begin) {
    header.sections[entry] = {static_cast<uint32_t>(id), 0, begin, size - begin};
  }
};

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

Result<std::unique_ptr<FileWriter::Parts>> FileWriter::Assemble() {
  auto parts = std::make_unique<Parts>();
  graph.blobs.clear();
  uint64_t weights = 0;
  for (const std::vector<std::byte>& bytes : blobs_) {
    auto record = std::make_unique<fbs::BlobT>();
    record->offset = weights;
    record->size = bytes.size();
    graph.blobs.push_back(std::move(record));
    weights = AlignUp(weights + bytes.size(), format::kBlobAlignment);
  }
  parts->graph = Pack(graph, fbs::FinishModelBuffer);
  if (parts->graph.size() > ReadLimits().max_graph_bytes) {
    return Status(StatusCode::kOverBudget,
                  "the graph would have " + std::to_string(parts->graph.size()) +
                      " bytes, readers allow " + std::to_string(ReadLimits().max_graph_bytes));
  }

  size_t entry = 0;
  parts->Append(std::as_bytes(std::span(&parts->header, 1)));
  uint64_t begin = parts->size;
  parts->Append(BytesOf(parts->graph));
  parts->EndSection(entry++, format::SectionId::kGraph, begin);
  if (weights > 0) {
    parts->PadTo(format::kWeightsAlignment);
    begin = parts->size;
    for (const std::vector<std::byte>& bytes : blobs_) {
      parts->Append(bytes);
      parts->PadTo(format::kBlobAlignment);
    }
    parts->EndSection(entry++, format::SectionId::kWeights, begin);
  }
  if (trust != nullptr) {
    parts->trust = Pack(*trust, fbs::FinishTrustBuffer);
    parts->PadTo(format::kSectionAlignment);
    begin = parts->size;
    parts->Append(BytesOf(parts->trust));
    parts->EndSection(entry++, format::SectionId::kTrust, begin);
  }

  std::memcpy(parts->header.magic, format::kMagic, sizeof(format::kMagic));
  parts->header.major = format::kMajor;
  parts->header.minor = format::kMinor;
  parts->header.file_size = parts->size;
  parts->header.checksum = format::HeaderChecksum(parts->header);
  return parts;
}

Result<std::vector<std::byte>> FileWriter::Serialize() {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<Parts> parts, Assemble());
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(parts->size));
  for (std::span<const std::byte> chunk : parts->chunks)
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  return bytes;
}

Status FileWriter::Write(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<Parts> parts, Assemble());
  return WriteFileAtomically(path, parts->chunks);
}

}  // namespace whit
