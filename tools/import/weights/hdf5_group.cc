#include "tools/import/weights/hdf5_group.h"

#include <algorithm>

#include "tools/import/weights/hdf5_tree.h"

namespace whit::tools {

namespace {

// Types of the records of index trees (spec III.A.2).
constexpr uint8_t kLinksByName = 5, kAttributesByName = 8;

std::string_view TextOf(Hdf5Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The names of an old group lie in a heap, its links in blocks under a tree.
Status ReadSymbolTable(Hdf5Reader& reader, Hdf5Bytes message, std::vector<Hdf5Link>* links) {
  ByteReader in(message);
  const uint64_t tree = reader.Offset(in), heap_at = reader.Offset(in);
  if (!in.ok()) return Status(StatusCode::kInvalidModel, "a symbol table message is cut off");
  WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes heap, OpenHdf5LocalHeap(reader, heap_at));
  const auto read_block = [&](Hdf5Bytes, uint64_t address) -> Status {
    constexpr char kKind[] = "symbol table";
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes head, reader.Bytes(kKind, address, 8));
    ByteReader block(head);
    if (!block.Matches("SNOD")) return BadHdf5(kKind, address, "has not its signature");
    block.Skip(2);
    const uint64_t count = block.U16();
    const uint64_t entry_bytes = 2 * reader.offset_size() + 4 + 4 + 16;
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes body,
                          reader.Bytes(kKind, address + head.size(), count * entry_bytes));
    for (uint64_t i = 0; i < count; ++i) {
      ByteReader entry(body.subspan(static_cast<size_t>(i * entry_bytes)));
      const uint64_t name_at = reader.Offset(entry);
      const uint64_t target = reader.Offset(entry);
      constexpr uint32_t kSoftLink = 2;
      if (entry.U32() == kSoftLink) continue;
      ByteReader name(heap.subspan(static_cast<size_t>(std::min<uint64_t>(name_at, heap.size()))));
      const std::string_view text = name.Text();
      if (!name.ok()) return BadHdf5(kKind, address, "a name leaves the heap");
      WHIT_RETURN_IF_ERROR(reader.Charge(text.size()));
      links->push_back({std::string(text), target});
    }
    return OkStatus();
  };
  return WalkHdf5Tree(reader, tree, Hdf5TreeType::kGroup, reader.length_size(), read_block);
}

Status ReadLink(Hdf5Reader& reader, Hdf5Bytes message, std::vector<Hdf5Link>* links) {
  ByteReader in(message);
  const int version = in.U8();
  const uint8_t flags = in.U8();
  const int kind = (flags & 8) != 0 ? in.U8() : 0;
  if ((flags & 4) != 0) in.Skip(8);   // creation order
  if ((flags & 16) != 0) in.Skip(1);  // character set
  const Hdf5Bytes name = in.Take(in.Uint(size_t{1} << (flags & 3)));
  if (version != 1 || !in.ok())
    return Status(StatusCode::kInvalidModel, "a link message is cut off");
  if (kind != 0) return OkStatus();
  const uint64_t target = reader.Offset(in);
  if (!in.ok()) return Status(StatusCode::kInvalidModel, "a link message is cut off");
  links->push_back({std::string(TextOf(name)), target});
  return OkStatus();
}

// Calls fn with each object that an index tree leads to, if there is one. `heap_id_at`: where in a
// record the identifier is. Huge objects are passed over: a long text may be one, a link never is.
Status ReadDense(Hdf5Reader& reader, uint64_t heap_at, uint64_t tree, uint8_t type,
                 size_t heap_id_at, const std::function<Status(Hdf5Bytes)>& fn) {
  if (heap_at == Hdf5Reader::kUndefined || tree == Hdf5Reader::kUndefined) return OkStatus();
  WHIT_ASSIGN_OR_RETURN(const Hdf5FractalHeap heap, Hdf5FractalHeap::Open(reader, heap_at));
  return WalkHdf5RecordTree(reader, tree, type, [&](Hdf5Bytes record) -> Status {
    ByteReader in(record);
    in.Skip(heap_id_at);
    const Hdf5Bytes id = in.Take(heap.id_bytes());
    if (!in.ok()) return BadHdf5("B-tree", tree, "records are shorter than what they name");
    const auto object = heap.Object(reader, id);
    if (object.ok()) return fn(*object);
    return object.status().code() == StatusCode::kUnsupported ? OkStatus() : object.status();
  });
}

// False: an attribute that this reader has no use for, or cannot read.
bool ParseAttribute(Hdf5Reader& reader, Hdf5Bytes message, Hdf5Attribute* attribute) {
  ByteReader in(message);
  const int version = in.U8();
  const uint8_t flags = in.U8();
  const uint64_t name_bytes = in.U16(), type_bytes = in.U16(), space_bytes = in.U16();
  if (version == 3) in.Skip(1);  // character set
  if (version < 1 || version > 3 || (version > 1 && flags != 0)) return false;
  const auto take = [&](uint64_t size) {
    const Hdf5Bytes bytes = in.Take(size);
    if (version == 1) in.Skip((8 - size % 8) % 8);
    return bytes;
  };
  ByteReader name(take(name_bytes));
  attribute->name = std::string(name.Text());
  attribute->type = ParseHdf5Type(take(type_bytes));
  auto space = ParseHdf5Space(reader, take(space_bytes));
  if (!in.ok() || !name.ok() || !space.ok()) return false;
  attribute->space = std::move(space).value();
  attribute->data = in.Rest();
  return true;
}

// Without what fills it up: zeros, or spaces.
std::string Trimmed(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

Result<std::vector<Hdf5Link>> ReadHdf5Links(Hdf5Reader& reader, const Hdf5Object& group) {
  std::vector<Hdf5Link> links;
  for (const Hdf5Message& message : group.messages) {
    if (message.type == Hdf5MessageType::kSymbolTable) {
      WHIT_RETURN_IF_ERROR(ReadSymbolTable(reader, message.data, &links));
    } else if (message.type == Hdf5MessageType::kLink) {
      WHIT_RETURN_IF_ERROR(ReadLink(reader, message.data, &links));
    } else if (message.type == Hdf5MessageType::kLinkInfo) {
      ByteReader in(message.data);
      in.Skip(1);
      if ((in.U8() & 1) != 0) in.Skip(8);  // largest creation order
      const uint64_t heap = reader.Offset(in), tree = reader.Offset(in);
      if (!in.ok()) return Status(StatusCode::kInvalidModel, "a link info message is cut off");
      constexpr size_t kHash = 4;
      WHIT_RETURN_IF_ERROR(ReadDense(reader, heap, tree, kLinksByName, kHash, [&](Hdf5Bytes link) {
        return ReadLink(reader, link, &links);
      }));
    }
  }
  return links;
}

Result<std::vector<Hdf5Attribute>> ReadHdf5Attributes(Hdf5Reader& reader,
                                                      const Hdf5Object& object) {
  std::vector<Hdf5Attribute> attributes;
  const auto add = [&](Hdf5Bytes message) {
    Hdf5Attribute attribute;
    if (ParseAttribute(reader, message, &attribute)) attributes.push_back(std::move(attribute));
    return OkStatus();
  };
  for (const Hdf5Message& message : object.messages) {
    if (message.type == Hdf5MessageType::kAttribute && !message.shared) {
      WHIT_RETURN_IF_ERROR(add(message.data));
    } else if (message.type == Hdf5MessageType::kAttributeInfo) {
      ByteReader in(message.data);
      in.Skip(1);
      if ((in.U8() & 1) != 0) in.Skip(2);  // largest creation order
      const uint64_t heap = reader.Offset(in), tree = reader.Offset(in);
      if (!in.ok())
        return Status(StatusCode::kInvalidModel, "an attribute info message is cut off");
      WHIT_RETURN_IF_ERROR(ReadDense(reader, heap, tree, kAttributesByName, 0, add));
    }
  }
  return attributes;
}

Result<std::vector<std::string>> Hdf5Strings(Hdf5Reader& reader, Hdf5GlobalHeaps& heaps,
                                             const Hdf5Attribute& attribute) {
  std::vector<std::string> strings;
  const bool fixed = attribute.type.kind == Hdf5Type::Kind::kFixedString;
  if (!fixed && attribute.type.kind != Hdf5Type::Kind::kString) return strings;
  const uint64_t reference_bytes = 4 + reader.offset_size() + 4;
  const uint64_t size = fixed ? attribute.type.size : reference_bytes;
  const uint64_t count = attribute.space.elements();
  ByteReader in(attribute.data);
  if (count > in.left() / size) return BadHdf5("attribute", 0, "its strings are cut off");
  for (uint64_t i = 0; i < count; ++i) {
    Hdf5Bytes text = in.Take(size);
    if (!fixed) {
      ByteReader reference(text);
      const uint32_t length = reference.U32();
      const uint64_t address = reader.Offset(reference);
      const uint32_t index = reference.U32();
      text = {};
      if (length > 0 && address != Hdf5Reader::kUndefined && address != 0) {
        WHIT_ASSIGN_OR_RETURN(text, heaps.Object(reader, address, index));
        text = text.subspan(0, std::min<size_t>(text.size(), length));
      }
    }
    WHIT_RETURN_IF_ERROR(reader.Charge(text.size()));
    strings.push_back(Trimmed(TextOf(text)));
  }
  return strings;
}

}  // namespace whit::tools
