#include "schema/file_parts.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "schema/hash_tree.h"

namespace whit {
namespace {

constexpr std::array<std::byte, format::kWeightsAlignment>
    kZeros{};  // padding never reaches one weights alignment

using format::AlignUp;

flatbuffers::DetachedBuffer Pack(const fbs::TrustT& trust) {
  flatbuffers::FlatBufferBuilder builder;
  fbs::FinishTrustBuffer(builder, fbs::Trust::Pack(builder, &trust));
  return builder.Release();
}

// The digests of all pages of what `chunks` make up, one behind the other.
std::vector<uint8_t> Leaves(const std::vector<std::span<const std::byte>>& chunks,
                            uint64_t leaf_bytes) {
  std::vector<uint8_t> leaves;
  LeafStream stream(leaf_bytes, [&](uint64_t, const Digest& leaf) {
    const auto* raw = reinterpret_cast<const uint8_t*>(leaf.data());
    leaves.insert(leaves.end(), raw, raw + leaf.size());
    return OkStatus();
  });
  for (std::span<const std::byte> chunk : chunks) (void)stream.Update(chunk);
  (void)stream.Finish();
  return leaves;
}

}  // namespace

std::vector<uint8_t> CopyOf(std::span<const std::byte> bytes) {
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  return {raw, raw + bytes.size()};
}

FileParts::FileParts() { Append(std::as_bytes(std::span(&header, 1))); }

void FileParts::Append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  chunks.push_back(bytes);
  size += bytes.size();
}

void FileParts::PadTo(uint64_t alignment) {
  Append(std::span(kZeros).first(static_cast<size_t>(AlignUp(size, alignment) - size)));
}

void FileParts::EndSection(format::SectionId id, uint64_t begin, uint32_t flags) {
  const auto entry = std::find_if(std::begin(header.sections), std::end(header.sections),
                                  [](const format::Section& s) {
                                    return s.id == static_cast<uint32_t>(format::SectionId::kNone);
                                  });
  *entry = {static_cast<uint32_t>(id), flags, begin, size - begin};
}

Status FileParts::Finish(fbs::TrustT* section, const SigningKey* key) {
  const bool tree = section != nullptr && section->tree != nullptr;
  if ((tree || key != nullptr) && !CryptoAvailable()) {
    return Status(StatusCode::kUnsupported,
                  "this build has no libsodium (WHIT_SODIUM=OFF): no hash tree, no signature");
  }
  if (section != nullptr) {
    PadTo(format::kSectionAlignment);
    const uint64_t begin = size;
    // First with zeros for what depends on the header, which says how long this section is.
    if (tree) {
      const uint64_t leaves = AlignUp(begin, section->tree->leaf_size) / section->tree->leaf_size;
      section->tree->leaves.assign(static_cast<size_t>(leaves) * kDigestBytes, 0);
      section->tree->root.assign(kDigestBytes, 0);
    }
    section->signature = nullptr;
    if (key != nullptr) {
      section->signature = std::make_unique<fbs::SignatureRecordT>();
      section->signature->algorithm = fbs::SignatureAlgorithm::ed25519;
      section->signature->public_key = CopyOf(key->public_key());
      section->signature->signature.assign(kSignatureBytes, 0);
    }
    trust = Pack(*section);
    size += trust.size();
    EndSection(
        format::SectionId::kTrust, begin,
        (tree ? format::kTrustHasTree : 0) | (key != nullptr ? format::kTrustHasSignature : 0));
  }
  std::memcpy(header.magic, format::kMagic, sizeof(format::kMagic));
  header.major = format::kMajor;
  header.minor = format::kMinor;
  header.file_size = size;
  header.checksum = format::HeaderChecksum(header);
  if (section == nullptr) return OkStatus();
  if (tree) {
    const uint64_t covered = size - trust.size();
    section->tree->leaves = Leaves(chunks, section->tree->leaf_size);
    section->tree->root = CopyOf(RootDigest(covered, section->tree->leaf_size,
                                            std::as_bytes(std::span(section->tree->leaves))));
    trust = Pack(*section);
  }
  if (key != nullptr) {
    const fbs::Trust& root = *fbs::GetTrust(trust.data());
    const Signature signature = key->Sign(SignedDigest(BytesOf(trust), root));
    const std::ptrdiff_t at = root.signature()->signature()->data() - trust.data();
    std::memcpy(trust.data() + at, signature.data(), signature.size());
  }
  chunks.push_back(BytesOf(trust));
  return OkStatus();
}

std::vector<std::byte> FileParts::Bytes() const {
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<size_t>(size));
  for (std::span<const std::byte> chunk : chunks)
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  return bytes;
}

std::unique_ptr<FileParts> PartsOf(const ModelFile& file, std::span<const std::byte> weights) {
  auto parts = std::make_unique<FileParts>();
  parts->header = file.header();
  uint64_t end = file.file_bytes();
  for (format::Section& s : parts->header.sections) {
    if (s.id != static_cast<uint32_t>(format::SectionId::kTrust)) continue;
    end = s.offset;
    s = {};
  }
  const auto append_to = [&](uint64_t offset) {
    parts->Append(file.file().subspan(static_cast<size_t>(parts->size),
                                      static_cast<size_t>(offset - parts->size)));
  };
  if (!weights.empty()) {
    append_to(static_cast<uint64_t>(file.weights_section().data() - file.file().data()));
    parts->Append(weights);
  }
  append_to(end);
  return parts;
}

fbs::TrustT TrustOf(const ModelFile& file) {
  fbs::TrustT trust;
  if (file.trust() != nullptr) file.trust()->UnPackTo(&trust);
  if (!file.has_hash_tree()) trust.tree = NewHashTree();
  return trust;
}

std::unique_ptr<fbs::HashTreeT> NewHashTree() {
  auto tree = std::make_unique<fbs::HashTreeT>();
  tree->algorithm = fbs::HashAlgorithm::blake2b_256;
  return tree;
}

}  // namespace whit
