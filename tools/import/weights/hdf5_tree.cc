#include "tools/import/weights/hdf5_tree.h"

#include <vector>

namespace whit::tools {

namespace {

// A tree of version 2 (spec III.A.2).
class RecordTree {
 public:
  using Visit = std::function<Status(std::span<const std::byte>)>;

  RecordTree(Hdf5Reader& reader, const Visit& fn) : reader_(reader), fn_(fn) {}

  Status Walk(uint64_t address, uint8_t type) {
    type_ = type;
    WHIT_ASSIGN_OR_RETURN(
        const auto bytes,
        reader_.Bytes(kKind, address, 16 + reader_.offset_size() + 2 + reader_.length_size() + 4));
    ByteReader in(bytes);
    const bool header = in.Matches("BTHD");
    const int version = in.U8();
    if (!header || version != 0 || in.U8() != type)
      return BadHdf5(kKind, address, "is no tree of type " + std::to_string(type));
    node_bytes_ = in.U32();
    record_bytes_ = in.U16();
    const uint16_t depth = in.U16();
    in.Skip(2);  // when nodes are split and merged
    Node root;
    root.address = reader_.Offset(in);
    root.records = in.U16();
    root.level = depth;
    if (record_bytes_ == 0 || node_bytes_ < kPrefix + record_bytes_ || depth > kMaxDepth)
      return BadHdf5(kKind, address,
                     "nodes of " + std::to_string(node_bytes_) + " bytes, records of " +
                         std::to_string(record_bytes_) + ", depth " + std::to_string(depth));
    SizePointers(depth);
    if (root.records == 0) return OkStatus();
    std::vector<Node> stack{root};
    while (!stack.empty()) {
      const Node node = stack.back();
      stack.pop_back();
      WHIT_RETURN_IF_ERROR(ReadNode(node, &stack));
    }
    return OkStatus();
  }

 private:
  static constexpr char kKind[] = "B-tree";
  static constexpr size_t kPrefix = 4 + 1 + 1 + 4;  // signature, version, type, checksum
  static constexpr int kMaxDepth = 32;              // nodes have two children or more

  struct Node {
    uint64_t address, records;
    int level;  // 0: a leaf
  };

  // How many bytes the counts beside a child's address take follows from how many records fit into
  // the nodes below.
  void SizePointers(int depth) {
    uint64_t most = (node_bytes_ - kPrefix) / record_bytes_;  // in a leaf
    count_bytes_ = Hdf5BytesFor(most);
    total_bytes_.assign(1, 0);
    uint64_t below = most;  // in a subtree
    for (int level = 1; level <= depth; ++level) {
      const size_t pointer = PointerBytes(level);
      most = node_bytes_ < kPrefix + pointer
                 ? 0
                 : (node_bytes_ - kPrefix - pointer) / (record_bytes_ + pointer);
      // What overflows is the tree of a hostile file; its counts are as wide as they get.
      const bool wide = below > Hdf5Reader::kUndefined / (most + 2);
      below = wide ? Hdf5Reader::kUndefined : (most + 1) * below + most;
      total_bytes_.push_back(Hdf5BytesFor(below));
    }
  }
  size_t PointerBytes(int level) const {
    return reader_.offset_size() + count_bytes_ + total_bytes_[static_cast<size_t>(level) - 1];
  }

  Status ReadNode(const Node& node, std::vector<Node>* stack) {
    const uint64_t children = node.level > 0 ? node.records + 1 : 0;
    const uint64_t needed =
        6 + node.records * record_bytes_ + (children > 0 ? children * PointerBytes(node.level) : 0);
    if (needed > node_bytes_)
      return BadHdf5(kKind, node.address, std::to_string(node.records) + " records do not fit");
    WHIT_ASSIGN_OR_RETURN(const auto bytes, reader_.Bytes(kKind, node.address, needed));
    ByteReader in(bytes);
    const bool signature = in.Matches(node.level > 0 ? "BTIN" : "BTLF");
    if (!signature || in.U8() != 0 || in.U8() != type_)
      return BadHdf5(kKind, node.address, "is no node of this tree");
    for (uint64_t i = 0; i < node.records; ++i) WHIT_RETURN_IF_ERROR(fn_(in.Take(record_bytes_)));
    for (uint64_t i = 0; i < children; ++i) {
      Node child;
      child.address = reader_.Offset(in);
      child.records = in.Uint(count_bytes_);
      child.level = node.level - 1;
      in.Skip(total_bytes_[static_cast<size_t>(node.level) - 1]);
      stack->push_back(child);
    }
    return OkStatus();
  }

  Hdf5Reader& reader_;
  const Visit& fn_;
  uint8_t type_ = 0;
  uint64_t node_bytes_ = 0, record_bytes_ = 0;
  size_t count_bytes_ = 0;           // of the records in a node
  std::vector<size_t> total_bytes_;  // of the records in a subtree of that depth
};

}  // namespace

Status WalkHdf5Tree(Hdf5Reader& reader, uint64_t address, Hdf5TreeType type, size_t key_bytes,
                    const std::function<Status(std::span<const std::byte>, uint64_t)>& fn) {
  constexpr char kKind[] = "B-tree";
  struct Node {
    uint64_t address;
    int above;  // level of the parent
  };
  std::vector<Node> stack{{address, 256}};
  while (!stack.empty()) {
    const Node node = stack.back();
    stack.pop_back();
    WHIT_ASSIGN_OR_RETURN(const auto head,
                          reader.Bytes(kKind, node.address, 8 + 2 * reader.offset_size()));
    ByteReader in(head);
    const bool signature = in.Matches("TREE");
    if (!signature || in.U8() != static_cast<uint8_t>(type))
      return BadHdf5(kKind, node.address,
                     "is no node of type " + std::to_string(static_cast<int>(type)));
    const int level = in.U8();
    const uint64_t entries = in.U16();
    // Levels that fall end every walk, whatever points where.
    if (level >= node.above)
      return BadHdf5(kKind, node.address,
                     "level " + std::to_string(level) + " below " + std::to_string(node.above));
    const size_t entry_bytes = key_bytes + reader.offset_size();
    WHIT_ASSIGN_OR_RETURN(const auto body,
                          reader.Bytes(kKind, node.address + head.size(), entries * entry_bytes));
    std::vector<Node> children;
    ByteReader entry(body);
    for (uint64_t i = 0; i < entries; ++i) {
      const auto key = entry.Take(key_bytes);
      const uint64_t child = reader.Offset(entry);
      if (level == 0) {
        WHIT_RETURN_IF_ERROR(fn(key, child));
      } else {
        children.push_back({child, level});
      }
    }
    stack.insert(stack.end(), children.rbegin(), children.rend());
  }
  return OkStatus();
}

Status WalkHdf5RecordTree(Hdf5Reader& reader, uint64_t address, uint8_t type,
                          const std::function<Status(std::span<const std::byte>)>& fn) {
  return RecordTree(reader, fn).Walk(address, type);
}

}  // namespace whit::tools
