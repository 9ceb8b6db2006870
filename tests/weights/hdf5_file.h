// Small HDF5 files, written block by block from the format's specification. Block functions append
// to the file and return the address.
#ifndef WHIT_TESTS_WEIGHTS_HDF5_FILE_H_
#define WHIT_TESTS_WEIGHTS_HDF5_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/weights/byte_writer.h"

namespace whit::tools {

using Links = std::vector<std::pair<std::string, uint64_t>>;

struct Message {
  uint16_t type;
  ByteWriter data;
};

// ---- contents of messages, the same in old and new headers ----

inline Message Float32Type(bool big_endian) {
  ByteWriter w;
  w.U8(0x11).U8(0x20 | (big_endian ? 1 : 0)).U8(31).U8(0).U32(4);
  return {3, w.U16(0).U16(32).U8(23).U8(8).U8(0).U8(23).U32(127)};
}
inline Message Int16Type() {
  ByteWriter w;
  return {3, w.U8(0x10).U8(8).U8(0).U8(0).U32(2).U16(0).U16(16)};
}
inline Message TextType(uint32_t size) {
  ByteWriter w;
  return {3, w.U8(0x13).Zeros(3).U32(size)};
}
inline Message VariableTextType() {
  ByteWriter w;
  return {3, w.U8(0x19).U8(1).Zeros(2).U32(16).Append(TextType(1).data)};
}
inline Message Space(const std::vector<uint64_t>& dims) {
  ByteWriter w;
  w.U8(1).U8(dims.size()).U8(0).Zeros(5);
  return {1, w.Values(dims)};
}
inline Message Contiguous(uint64_t address, uint64_t size) {
  ByteWriter w;
  return {8, w.U8(3).U8(1).U64(address).U64(size)};
}
inline Message Compact(const ByteWriter& data) {
  ByteWriter w;
  return {8, w.U8(3).U8(0).U16(data.size()).Append(data)};
}
/// `chunk` ends with the size of an element.
inline Message ChunkedByTree(uint64_t tree, const std::vector<uint32_t>& chunk) {
  ByteWriter w;
  return {8, w.U8(3).U8(2).U8(chunk.size()).U64(tree).Values(chunk)};
}
inline Message ChunkedByArray(uint64_t array, const std::vector<uint32_t>& chunk) {
  ByteWriter w;
  return {8, w.U8(4).U8(2).U8(0).U8(chunk.size()).U8(4).Values(chunk).U8(3).U8(10).U64(array)};
}
/// Shuffle and deflate.
inline Message Filters(uint32_t element) {
  ByteWriter w;
  w.U8(1).U8(2).Zeros(6);
  w.U16(2).U16(0).U16(0).U16(1).U32(element).Zeros(4);
  return {11, w.U16(1).U16(0).U16(0).U16(1).U32(6).Zeros(4)};
}
inline Message Fill(const ByteWriter& value) {
  ByteWriter w;
  return {5, w.U8(2).U8(1).U8(0).U8(1).U32(value.size()).Append(value)};
}
inline Message SymbolTable(uint64_t tree, uint64_t heap) {
  ByteWriter w;
  return {17, w.U64(tree).U64(heap)};
}
inline ByteWriter LinkBody(const std::string& name, uint64_t address) {
  ByteWriter w;
  return w.U8(1).U8(0).U8(name.size()).Text(name).U64(address);
}
inline Message Link(const std::string& name, uint64_t address) {
  return {6, LinkBody(name, address)};
}
inline Message LinkInfo(uint64_t heap, uint64_t tree) {
  ByteWriter w;
  return {2, w.U8(0).U8(0).U64(heap).U64(tree)};
}
inline Message Attribute(const std::string& name, Message type, Message space,
                         const ByteWriter& data) {
  ByteWriter w, padded_name;
  padded_name.Text(name).U8(0);
  w.U8(1).U8(0).U16(padded_name.size()).U16(type.data.size()).U16(space.data.size());
  w.Append(padded_name.PadTo(8)).Append(type.data.PadTo(8)).Append(space.data.PadTo(8));
  return {12, w.Append(data)};
}
inline Message Continuation(uint64_t address, uint64_t size) {
  ByteWriter w;
  return {16, w.U64(address).U64(size)};
}

class Hdf5File {
 public:
  std::vector<std::byte>& bytes() { return file_.bytes(); }
  ByteWriter& file() { return file_; }

  /// The superblock; SetRoot fills in the root group.
  explicit Hdf5File(int version) : version_(version) {
    file_.Text("\x89HDF\r\n\x1a\n").U8(static_cast<uint64_t>(version));
    if (version < 2) {
      file_.Zeros(4).U8(8).U8(8).U8(0).U16(4).U16(16).U32(0);
      file_.U64(0).U64(~0ull).U64(0).U64(~0ull);
      file_.U64(0).U64(0).U32(0).Zeros(20);
    } else {
      file_.U8(8).U8(8).U8(0).U64(0).U64(~0ull).U64(0).U64(0).U32(0);
    }
  }
  void SetRoot(uint64_t address) { file_.Patch(version_ < 2 ? 64 : 36, address); }

  uint64_t Raw(const ByteWriter& data) {
    const uint64_t at = file_.PadTo(8).size();
    file_.Append(data);
    return at;
  }

  uint64_t OldHeader(const std::vector<Message>& messages) {
    ByteWriter body = OldMessages(messages), head;
    head.U8(1).U8(0).U16(messages.size()).U32(1).U32(body.size()).Zeros(4);
    return Raw(head.Append(body));
  }
  static ByteWriter OldMessages(const std::vector<Message>& messages) {
    ByteWriter body;
    for (Message m : messages) {
      m.data.PadTo(8);
      body.U16(m.type).U16(m.data.size()).U8(0).Zeros(3).Append(m.data);
    }
    return body;
  }
  uint64_t NewHeader(const std::vector<Message>& messages) {
    ByteWriter body, head;
    for (const Message& m : messages) body.U8(m.type).U16(m.data.size()).U8(0).Append(m.data);
    head.Text("OHDR").U8(2).U8(1).U16(body.size());
    return Raw(head.Append(body).U32(0));
  }

  /// Names and links of an old group; the message that names them. Names sorted.
  Message OldLinks(const Links& links) {
    ByteWriter names, node, head, tree;
    names.Zeros(8);
    node.Text("SNOD").U8(1).U8(0).U16(links.size());
    for (const auto& [name, address] : links) {
      node.U64(names.size()).U64(address).U32(0).Zeros(20);
      names.Text(name).U8(0).PadTo(8);
    }
    const uint64_t names_at = Raw(names);
    head.Text("HEAP").Zeros(4).U64(names.size()).U64(~0ull).U64(names_at);
    const uint64_t heap = Raw(head), node_at = Raw(node);
    tree.Text("TREE").U8(0).U8(0).U16(1).U64(~0ull).U64(~0ull).U64(0).U64(node_at).U64(8);
    return SymbolTable(Raw(tree), heap);
  }

  struct Chunk {
    std::vector<uint64_t> origin;  // and a 0 for the element
    ByteWriter data;
  };
  uint64_t ChunkTree(const std::vector<Chunk>& chunks) {
    ByteWriter tree;
    tree.Text("TREE").U8(1).U8(0).U16(chunks.size()).U64(~0ull).U64(~0ull);
    for (const Chunk& chunk : chunks) {
      tree.U32(chunk.data.size()).U32(0).Values(chunk.origin).U64(Raw(chunk.data));
    }
    return Raw(tree.Zeros(8 + 8 * chunks[0].origin.size()));
  }
  uint64_t ChunkArray(const std::vector<uint64_t>& addresses) {
    ByteWriter block, head;
    block.Text("FADB").U8(0).U8(0).U64(0).Values(addresses).U32(0);
    head.Text("FAHD").U8(0).U8(0).U8(8).U8(10).U64(addresses.size()).U64(Raw(block)).U32(0);
    return Raw(head);
  }
  /// One collection with one object, number 1.
  uint64_t GlobalHeap(const std::string& text) {
    ByteWriter heap, object;
    object.U16(1).U16(1).Zeros(4).U64(text.size()).Text(text).PadTo(8).Zeros(16);
    return Raw(heap.Text("GCOL").U8(1).Zeros(3).U64(16 + object.size()).Append(object));
  }
  /// Links in a heap under an index: the message that names both.
  Message DenseLinks(const Links& links) {
    constexpr uint64_t kBlock = 512, kHead = 4 + 1 + 8 + 4;
    ByteWriter block, leaf, heap, tree;
    block.Text("FHDB").U8(0).U64(0).U32(0);
    leaf.Text("BTLF").U8(0).U8(5);
    for (const auto& [name, address] : links) {
      const ByteWriter body = LinkBody(name, address);
      leaf.U32(0).U8(0).U32(block.size()).U16(body.size());
      block.Append(body);
    }
    block.Zeros(kBlock - block.size());
    const uint64_t block_at = Raw(block), leaf_at = Raw(leaf.U32(0).Zeros(512 - leaf.size()));
    static_assert(kHead < kBlock);
    heap.Text("FRHP").U8(0).U16(7).U16(0).U8(0).U32(4096).U64(0).U64(~0ull).U64(0).U64(~0ull);
    heap.Zeros(8 * 8).U16(4).U64(kBlock).U64(1024).U16(32).U16(1).U64(block_at).U16(0).U32(0);
    tree.Text("BTHD").U8(0).U8(5).U32(512).U16(11).U16(0).U8(100).U8(40).U64(leaf_at);
    tree.U16(links.size()).U64(links.size()).U32(0);
    const uint64_t heap_at = Raw(heap);
    return LinkInfo(heap_at, Raw(tree));
  }

 private:
  int version_;
  ByteWriter file_;
};

}  // namespace whit::tools

#endif  // WHIT_TESTS_WEIGHTS_HDF5_FILE_H_
