#include "tools/import/weights/hdf5_object.h"

namespace whit::tools {

namespace {

constexpr char kKind[] = "object header";
// Version 1 counts messages in 16 bits; later ones do not count, and have no reason for more.
constexpr size_t kMaxMessages = 65'536;
constexpr uint8_t kShared = 2;  // flag of a message

bool IsRead(uint64_t type) {
  switch (static_cast<Hdf5MessageType>(type)) {
    case Hdf5MessageType::kDataspace:
    case Hdf5MessageType::kLinkInfo:
    case Hdf5MessageType::kDatatype:
    case Hdf5MessageType::kOldFillValue:
    case Hdf5MessageType::kFillValue:
    case Hdf5MessageType::kLink:
    case Hdf5MessageType::kExternalFiles:
    case Hdf5MessageType::kLayout:
    case Hdf5MessageType::kFilters:
    case Hdf5MessageType::kAttribute:
    case Hdf5MessageType::kContinuation:
    case Hdf5MessageType::kSymbolTable:
    case Hdf5MessageType::kAttributeInfo:
      return true;
  }
  return false;
}

class HeaderParser {
 public:
  HeaderParser(Hdf5Reader& reader, uint64_t address) : reader_(reader) {
    object_.address = address;
  }

  Result<Hdf5Object> Run() {
    // The longest prefix that any version has before the size of the first block.
    WHIT_ASSIGN_OR_RETURN(const auto start, reader_.Upto(kKind, object_.address, 64));
    ByteReader in(start);
    const bool modern = in.Matches("OHDR");
    if (!modern) in = ByteReader(start);
    uint64_t size = 0;
    WHIT_RETURN_IF_ERROR(modern ? ReadModernPrefix(in, &size) : ReadOldPrefix(in, &size));
    WHIT_RETURN_IF_ERROR(ReadBlock(object_.address + in.position(), size));
    // Blocks are found while blocks are read.
    for (size_t i = 0; i < blocks_.size(); ++i) {
      WHIT_RETURN_IF_ERROR(ReadContinuation(blocks_[i]));
    }
    return std::move(object_);
  }

 private:
  struct Block {
    uint64_t address, size;
  };

  Status Bad(const std::string& what) { return BadHdf5(kKind, object_.address, what); }

  Status ReadOldPrefix(ByteReader& in, uint64_t* size) {
    const int version = in.U8();
    if (version != 1) return Bad("version " + std::to_string(version) + ", 1 and 2 are known");
    in.Skip(1 + 2 + 4);  // reserved, messages, references
    *size = in.U32();
    in.Skip(4);  // up to a multiple of 8
    return in.ok() ? OkStatus() : Bad("the file ends in it");
  }

  Status ReadModernPrefix(ByteReader& in, uint64_t* size) {
    const int version = in.U8();
    if (version != 2) return Bad("version " + std::to_string(version) + ", 1 and 2 are known");
    const uint8_t flags = in.U8();
    modern_ = true;
    has_order_ = (flags & 4) != 0;
    if (flags & 32) in.Skip(16);  // times
    if (flags & 16) in.Skip(4);   // when attributes move to a heap
    *size = in.Uint(size_t{1} << (flags & 3));
    return in.ok() ? OkStatus() : Bad("the file ends in it");
  }

  Status ReadContinuation(const Block& block) {
    if (!modern_) return ReadBlock(block.address, block.size);
    constexpr uint64_t kAround = 8;  // signature and checksum
    if (block.size < kAround)
      return Bad("a continuation of " + std::to_string(block.size) + " bytes");
    WHIT_ASSIGN_OR_RETURN(const auto start, reader_.Data(kKind, block.address, 4));
    if (!ByteReader(start).Matches("OCHK")) return Bad("a continuation without its signature");
    return ReadBlock(block.address + 4, block.size - kAround);
  }

  Status ReadBlock(uint64_t address, uint64_t size) {
    WHIT_ASSIGN_OR_RETURN(const auto bytes, reader_.Bytes(kKind, address, size));
    const size_t prefix = modern_ ? (has_order_ ? 6 : 4) : 8;
    ByteReader in(bytes);
    while (in.left() >= prefix) {  // less is a gap
      const uint64_t type = in.Uint(modern_ ? 1 : 2);
      const uint64_t length = in.U16();
      const uint8_t flags = in.U8();
      in.Skip(modern_ ? (has_order_ ? 2 : 0) : 3);
      const auto data = in.Take(length);
      if (!in.ok()) {
        return Bad("a message of " + std::to_string(length) + " bytes leaves its block of " +
                   std::to_string(size));
      }
      if (!IsRead(type)) continue;
      WHIT_RETURN_IF_ERROR(Add({static_cast<Hdf5MessageType>(type), (flags & kShared) != 0, data}));
    }
    return OkStatus();
  }

  Status Add(const Hdf5Message& message) {
    if (object_.messages.size() + blocks_.size() >= kMaxMessages)
      return Bad("more than " + std::to_string(kMaxMessages) + " messages");
    if (message.type != Hdf5MessageType::kContinuation) {
      object_.messages.push_back(message);
      return OkStatus();
    }
    ByteReader in(message.data);
    Block block;
    block.address = reader_.Offset(in);
    block.size = reader_.Length(in);
    if (!in.ok())
      return Bad("a continuation message of " + std::to_string(message.data.size()) + " bytes");
    blocks_.push_back(block);
    return OkStatus();
  }

  Hdf5Reader& reader_;
  Hdf5Object object_;
  bool modern_ = false, has_order_ = false;  // version 2; its messages have a creation order
  std::vector<Block> blocks_;
};

}  // namespace

const Hdf5Message* Hdf5Object::Find(Hdf5MessageType type) const {
  for (const Hdf5Message& message : messages) {
    if (message.type == type) return &message;
  }
  return nullptr;
}

Result<Hdf5Object> ReadHdf5Object(Hdf5Reader& reader, uint64_t address) {
  return HeaderParser(reader, address).Run();
}

Result<std::span<const std::byte>> ResolveHdf5Message(Hdf5Reader& reader,
                                                      const Hdf5Message& message) {
  if (!message.shared) return message.data;
  // Spec IV.A.2, "shared message".
  ByteReader in(message.data);
  const int version = in.U8();
  const int where = in.U8();
  if (version == 1) in.Skip(6);
  if (version < 1 || version > 3 || (version == 3 && where != 2)) {
    return Status(StatusCode::kUnsupported, "a message in the heap of shared messages");
  }
  const uint64_t address = reader.Offset(in);
  if (!in.ok()) return Status(StatusCode::kInvalidModel, "a shared message is cut off");
  WHIT_ASSIGN_OR_RETURN(const Hdf5Object object, ReadHdf5Object(reader, address));
  const Hdf5Message* found = object.Find(message.type);
  if (found == nullptr || found->shared)
    return BadHdf5(kKind, address, "has no message of the kind that another shares with it");
  return found->data;
}

}  // namespace whit::tools
