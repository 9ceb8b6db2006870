#include "schema/reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "schema/validate.h"

namespace whit {
namespace {

using format::Section;
using format::SectionId;
using std::to_string;

Status Invalid(const std::string& what) { return Status(StatusCode::kInvalidModel, what); }
Status Unsupported(const std::string& what) { return Status(StatusCode::kUnsupported, what); }

std::string NameOf(uint32_t id) {
  switch (static_cast<SectionId>(id)) {
    case SectionId::kGraph:
      return "graph section";
    case SectionId::kWeights:
      return "weights section";
    case SectionId::kTrust:
      return "trust section";
    case SectionId::kNone:
      break;
  }
  return "section with id " + to_string(id);
}

Status CheckSection(const Section& s, uint64_t file_size) {
  const uint64_t alignment = s.id == static_cast<uint32_t>(SectionId::kWeights)
                                 ? format::kWeightsAlignment
                                 : format::kSectionAlignment;
  if (s.offset < sizeof(format::Header) || s.offset % alignment != 0) {
    return Invalid(NameOf(s.id) + ": offset " + to_string(s.offset) +
                   " is inside of the header or not a multiple of " + to_string(alignment));
  }
  if (s.offset > file_size || s.size > file_size - s.offset) {
    return Invalid(NameOf(s.id) + ": " + to_string(s.size) + " bytes at offset " +
                   to_string(s.offset) + " end outside of the file of " + to_string(file_size) +
                   " bytes");
  }
  const bool may_be_sealed = s.id == static_cast<uint32_t>(SectionId::kWeights);
  const uint32_t known = may_be_sealed ? format::kSectionSealed : 0;
  if ((s.flags & format::kMustUnderstandMask & ~known) != 0) {
    return Unsupported(NameOf(s.id) + " has flags " + to_string(s.flags) +
                       ", some of which this version does not know");
  }
  return OkStatus();
}

// Each section on its own, then all: none twice, none overlapping, trust behind everything.
Status CheckSections(const format::Header& header) {
  std::vector<Section> used;
  for (const Section& s : header.sections) {
    if (s.id == static_cast<uint32_t>(SectionId::kNone)) continue;
    WHIT_RETURN_IF_ERROR(CheckSection(s, header.file_size));
    for (const Section& other : used) {
      if (other.id == s.id) return Invalid(NameOf(s.id) + ": the file has two");
    }
    used.push_back(s);
  }
  std::sort(used.begin(), used.end(),
            [](const Section& a, const Section& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < used.size(); ++i) {
    if (used[i - 1].offset + used[i - 1].size > used[i].offset) {
      return Invalid(NameOf(used[i].id) + ": begins at " + to_string(used[i].offset) + ", the " +
                     NameOf(used[i - 1].id) + " ends only at " +
                     to_string(used[i - 1].offset + used[i - 1].size));
    }
    if (used[i - 1].id == static_cast<uint32_t>(SectionId::kTrust)) {
      return Invalid("trust section: must be the last, the " + NameOf(used[i].id) +
                     " lies behind it");
    }
  }
  return OkStatus();
}

// Null: the file has none.
const Section* Find(const format::Header& header, SectionId id) {
  for (const Section& s : header.sections) {
    if (s.id == static_cast<uint32_t>(id)) return &s;
  }
  return nullptr;
}

Status CheckVersion(const format::Header& header) {
  if (header.major == format::kMajor && header.minor <= format::kMinor) return OkStatus();
  return Unsupported("format version " + to_string(header.major) + "." + to_string(header.minor) +
                     ", this reader knows " + to_string(format::kMajor) + ".0 to " +
                     to_string(format::kMajor) + "." + to_string(format::kMinor));
}

// A bounds-checked copy into owned memory; everything that steers is read from there.
Result<AlignedBuffer> CopySection(std::span<const std::byte> section, const char* name,
                                  uint64_t max_bytes) {
  // FlatBuffers' own limit is 2 GiB, whatever the caller allows.
  const uint64_t limit = std::min<uint64_t>(max_bytes, FLATBUFFERS_MAX_BUFFER_SIZE - 1);
  if (section.size() > limit) {
    return Status(StatusCode::kOverBudget, std::string(name) + ": " + to_string(section.size()) +
                                               " bytes, at most " + to_string(limit) +
                                               " are allowed");
  }
  if (section.empty()) return Invalid(std::string(name) + ": is empty or missing");
  auto copy = AlignedBuffer::Allocate(section.size());
  if (!copy.ok()) return Status(copy.status()).WithContext(name);
  std::memcpy(copy->data(), section.data(), section.size());
  return copy;
}

flatbuffers::Verifier MakeVerifier(const AlignedBuffer& bytes) {
  // Model > Subgraph > Operator > options: 4 tables deep, the rest is slack for appended ones.
  constexpr unsigned kMaxDepth = 16;
  // A table takes 4 bytes and the reference to it 4: a file without shared tables never has more.
  const auto max_tables = static_cast<unsigned>(bytes.size() / 8 + 1);
  return flatbuffers::Verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                               kMaxDepth, max_tables);
}

const flatbuffers::Table* AsTable(const void* p) {
  return static_cast<const flatbuffers::Table*>(p);
}

// The verifier bounds the number of tables that it visits, but not the strings in vectors of
// strings. A hostile file could have many Labels tables share one long list and cost it hours; so
// count them beforehand, each access verified by hand.
bool LabelsAreBounded(const AlignedBuffer& bytes) {
  flatbuffers::Verifier v = MakeVerifier(bytes);
  const auto* buffer = reinterpret_cast<const uint8_t*>(bytes.data());
  if (v.VerifyOffset(size_t{0}) == 0) return false;
  const auto* model = flatbuffers::GetRoot<fbs::Model>(buffer);
  if (!AsTable(model)->VerifyTableStart(v) ||
      !AsTable(model)->VerifyOffset(v, fbs::Model::VT_LABELS) || !v.VerifyVector(model->labels())) {
    return false;
  }
  uint64_t total = 0;
  for (unsigned i = 0; model->labels() != nullptr && i < model->labels()->size(); ++i) {
    const auto* element = reinterpret_cast<const uint8_t*>(model->labels()->data()) + 4 * size_t{i};
    if (v.VerifyOffset(static_cast<size_t>(element - buffer)) == 0) return false;
    const fbs::Labels* list = model->labels()->Get(i);
    if (!AsTable(list)->VerifyTableStart(v) ||
        !AsTable(list)->VerifyOffset(v, fbs::Labels::VT_LABELS) ||
        !v.VerifyVector(list->labels())) {
      return false;
    }
    total += list->labels() == nullptr ? 0 : list->labels()->size();
    if (total > bytes.size() / 4) return false;
    v.EndTable();  // balances the depth that VerifyTableStart counts
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<const ModelFile>> ModelFile::Open(Mapping mapping,
                                                         const ReadLimits& limits) {
  std::shared_ptr<ModelFile> file(new ModelFile);
  file->mapping_ = std::move(mapping);
  WHIT_RETURN_IF_ERROR(file->ReadHeader(limits));
  WHIT_RETURN_IF_ERROR(file->ReadGraph(limits));
  WHIT_RETURN_IF_ERROR(file->ReadTrust(limits));
  WHIT_RETURN_IF_ERROR(file->ReadSeal(limits));
  return std::shared_ptr<const ModelFile>(std::move(file));
}

Status ModelFile::ReadHeader(const ReadLimits& limits) {
  const std::span<const std::byte> all = mapping_.bytes();
  if (all.size() < sizeof(header_)) {
    return Invalid("not a whit model: " + to_string(all.size()) + " bytes, the header alone has " +
                   to_string(sizeof(header_)));
  }
  if (reinterpret_cast<uintptr_t>(all.data()) % format::kFileAlignment != 0) {
    return Status(StatusCode::kInvalidArgument, "the model's bytes must begin at a multiple of " +
                                                    to_string(format::kFileAlignment) +
                                                    " (or be read, not mapped)");
  }
  std::memcpy(&header_, all.data(), sizeof(header_));
  if (std::memcmp(header_.magic, format::kMagic, sizeof(format::kMagic)) != 0) {
    return Invalid("not a whit model: it does not begin with the four characters WHIT");
  }
  WHIT_RETURN_IF_ERROR(CheckVersion(header_));
  const uint64_t checksum = format::HeaderChecksum(header_);
  if (header_.checksum != checksum) {
    return Invalid("header: checksum " + to_string(header_.checksum) + ", but its bytes give " +
                   to_string(checksum) + ": the file is damaged");
  }
  if (std::any_of(std::begin(header_.reserved), std::end(header_.reserved),
                  [](uint8_t b) { return b != 0; })) {
    return Invalid("header: reserved bytes are not 0");
  }
  if (header_.file_size > all.size()) {
    return Invalid("the file is truncated: " + to_string(header_.file_size) +
                   " bytes by its header, " + to_string(all.size()) + " are there");
  }
  if (header_.file_size < all.size() && !limits.allow_trailing_bytes) {
    return Invalid("the file has " + to_string(all.size()) + " bytes, but ends at " +
                   to_string(header_.file_size) + " by its header");
  }
  file_ = all.first(static_cast<size_t>(header_.file_size));
  return CheckSections(header_);
}

Status ModelFile::ReadGraph(const ReadLimits& limits) {
  WHIT_ASSIGN_OR_RETURN(graph_bytes_,
                        CopySection(graph_section(), "graph section", limits.max_graph_bytes));
  if (!LabelsAreBounded(graph_bytes_))
    return Invalid("graph section: labels are damaged or share their strings");
  flatbuffers::Verifier verifier = MakeVerifier(graph_bytes_);
  if (!fbs::VerifyModelBuffer(verifier)) {
    return Invalid("graph section: not a well-formed FlatBuffer with identifier " +
                   std::string(fbs::ModelIdentifier()));
  }
  graph_ = fbs::GetModel(graph_bytes_.data());
  WHIT_RETURN_IF_ERROR(
      ValidateModel(*graph_, graph_bytes_.size(), weights_section().size(), limits));
  main_ = graph_->subgraphs()->Get(signature().subgraph());
  return OkStatus();
}

Status ModelFile::ReadTrust(const ReadLimits& limits) {
  const std::span<const std::byte> section = trust_section();
  if (section.empty()) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(trust_bytes_,
                        CopySection(section, "trust section", limits.max_graph_bytes));
  flatbuffers::Verifier verifier = MakeVerifier(trust_bytes_);
  if (!fbs::VerifyTrustBuffer(verifier)) {
    return Invalid("trust section: not a well-formed FlatBuffer with identifier " +
                   std::string(fbs::TrustIdentifier()));
  }
  trust_ = fbs::GetTrust(trust_bytes_.data());
  const auto covered = static_cast<uint64_t>(section.data() - file_.data());
  WHIT_RETURN_IF_ERROR(ValidateTrust(*trust_, *graph_, covered, weights_section().size()));
  const uint32_t there = (has_hash_tree() ? format::kTrustHasTree : 0) |
                         (has_signature() ? format::kTrustHasSignature : 0);
  const Section& entry = *Find(header_, SectionId::kTrust);
  if ((entry.flags & (format::kTrustHasTree | format::kTrustHasSignature)) != there) {
    return Invalid("trust section: holds a tree or a signature (" + to_string(there) +
                   ") otherwise than the header says (" + to_string(entry.flags) + ")");
  }
  if (!has_hash_tree()) return OkStatus();
  if (covered + section.size() != file_.size()) {
    return Invalid("trust section: ends at " + to_string(covered + section.size()) +
                   ", the file at " + to_string(file_.size()) +
                   ": what lies behind is not covered");
  }
  if (!weights_section().empty() && weights_section().data() < graph_section().data())
    return Invalid("trust section: with a hash tree the graph must lie before the weights");
  return OkStatus();
}

// Both places say that the weights are sealed, or neither. Their plain addresses are reserved here,
// without memory.
Status ModelFile::ReadSeal(const ReadLimits& limits) {
  const Section* weights = Find(header_, SectionId::kWeights);
  const bool flagged = weights != nullptr && (weights->flags & format::kSectionSealed) != 0;
  const bool described = trust_ != nullptr && trust_->seal() != nullptr &&
                         trust_->seal()->cipher() != fbs::Cipher::none;
  if (flagged != described) {
    return Invalid(std::string("weights section: ") +
                   (flagged ? "is sealed by the header, and the trust section does not say how"
                            : "is not sealed by the header, but the trust section says how"));
  }
  if (!flagged) return OkStatus();
  if (!limits.allow_sealed) {
    const auto* id = trust_->seal()->key_id();
    return Unsupported("the weights are sealed (encrypted) under key '" +
                       (id == nullptr ? std::string() : id->str()) +
                       "': give the key, or make a plain file first (whit unseal)");
  }
  WHIT_ASSIGN_OR_RETURN(plain_, ReservedRange::Reserve(format::AlignUp(weights_section().size(),
                                                                       format::kWeightsAlignment)));
  sealed_ = true;
  return OkStatus();
}

std::span<const std::byte> ModelFile::SectionBytes(format::SectionId id) const {
  const Section* s = Find(header_, id);
  if (s == nullptr) return {};
  return file_.subspan(static_cast<size_t>(s->offset), static_cast<size_t>(s->size));
}

std::span<const std::byte> ModelFile::blob(size_t index) const {
  const fbs::Blob& b = *graph_->blobs()->Get(static_cast<unsigned>(index));
  return {plain_weights() + b.offset(), static_cast<size_t>(b.size())};
}

bool ModelFile::has_hash_tree() const {
  return trust_ != nullptr && trust_->tree() != nullptr &&
         trust_->tree()->algorithm() != fbs::HashAlgorithm::none;
}

bool ModelFile::has_signature() const {
  return trust_ != nullptr && trust_->signature() != nullptr &&
         trust_->signature()->algorithm() != fbs::SignatureAlgorithm::none;
}

}  // namespace whit
