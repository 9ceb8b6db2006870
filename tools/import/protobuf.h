// The wire format of protocol buffers, read in place: field after field of a message, nothing is
// copied or allocated by what the bytes claim. Knows no schema; whoever reads a message switches
// over field numbers:
//
//   ProtoReader r(bytes, "the model");
//   for (ProtoField f; r.Next(&f);) {
//     if (f.number == 1) version = r.Int(f);
//     if (f.number == 7) ReadGraph(r.Message(f, "the graph"));
//   }
//   WHIT_RETURN_IF_ERROR(r.status());
//
// Any bytes are accepted: the result is fields inside of them, or a Status. Groups, which proto3
// does not have, are refused.
#ifndef WHIT_TOOLS_IMPORT_PROTOBUF_H_
#define WHIT_TOOLS_IMPORT_PROTOBUF_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// One field as it lies on the wire.
struct ProtoField {
  uint32_t number = 0;  // 1 or more
  WireType type = WireType::kVarint;
  uint64_t value = 0;                // of the types that are numbers
  std::span<const std::byte> bytes;  // of kBytes: inside the message
};

/// Reads the fields of one message. The first error sticks: Next() is false from then on. The bytes
/// must outlive the reader and everything it returns.
class ProtoReader {
 public:
  /// Messages in messages, at most; more than any schema of weights or graphs nests.
  static constexpr int kMaxDepth = 64;

  /// `what` names the message in errors, and must outlive the reader: a literal.
  ProtoReader(std::span<const std::byte> bytes, const char* what)
      : ProtoReader(bytes, what, 0, OkStatus()) {}

  /// The next field; false at the end of the message and after an error.
  bool Next(ProtoField* field);
  const Status& status() const { return status_; }
  /// Where a field's own reader failed.
  void Fail(const Status& status) {
    if (status_.ok()) status_ = status;
  }

  // Values of a field. One of another wire type than the method reads is an error.
  int64_t Int(const ProtoField& field);  // int32, int64, bool, enum
  float Float(const ProtoField& field);
  std::string_view Text(const ProtoField& field);
  std::span<const std::byte> Data(const ProtoField& field);
  /// The message in a field. Its errors are its own: pass its status() to Fail().
  ProtoReader Message(const ProtoField& field, const char* what);
  // Repeated numbers, packed or not: appends them.
  void Ints(const ProtoField& field, std::vector<int64_t>* values);
  void Floats(const ProtoField& field, std::vector<float>* values);
  void Doubles(const ProtoField& field, std::vector<double>* values);

 private:
  ProtoReader(std::span<const std::byte> bytes, const char* what, int depth, Status status)
      : rest_(bytes), size_(bytes.size()), what_(what), depth_(depth), status_(std::move(status)) {}

  bool Expect(const ProtoField& field, WireType type);
  bool FailAt(const std::string& what);
  template <typename T>
  bool Fixed(T* value);
  template <typename Bits, typename T>
  void FixedNumbers(const ProtoField& field, WireType type, std::vector<T>* values);

  std::span<const std::byte> rest_;
  size_t size_;
  const char* what_;
  int depth_;
  Status status_;
};

/// A varint at the front of `bytes`, which are advanced behind it. False where they end before it
/// does or it has more than 64 bits.
bool TakeVarint(std::span<const std::byte>* bytes, uint64_t* value);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_PROTOBUF_H_
