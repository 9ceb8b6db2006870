// Pickles as data: what Python would build is described, and nothing of it is built. A name of a
// class or function is text here; a call is a note of who would be called with what. The opcodes
// that are taken are those that describe data, and calls are taken of an allow-list alone
// (pickle_names.h).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

/// A value of a pickle, by its place in Pickle::values.
using PickleRef = int32_t;

enum class PickleKind : uint8_t {
  kNone,
  kBool,        // number
  kInt,         // number
  kBigInt,      // beyond 64 bits; text: its little-endian bytes
  kFloat,       // real
  kText,        // text, UTF-8
  kBytes,       // text
  kList,        // items; sets too
  kTuple,       // items
  kDict,        // items: key, value, key, value, ...
  kGlobal,      // text: "module.name"
  kCall,        // items: what is called, its arguments (a tuple or another value), state or -1
  kPersistent,  // items: the id
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t number = 0;
  double real = 0;
  std::string_view text;  // points into the pickle, or into Pickle::joined
  std::vector<PickleRef> items;
};

struct Pickle {
  std::vector<PickleValue> values;
  std::vector<std::string> joined;  // texts that do not lie in the file as such
  PickleRef root = -1;
  size_t bytes = 0;  // of the pickle, its end included

  const PickleValue& operator[](PickleRef i) const { return values[static_cast<size_t>(i)]; }
  /// The value of a text key of a dict (or of the items of a call's dict), or -1.
  PickleRef Find(PickleRef dict, std::string_view key) const;
};

/// Reads one pickle from the start of `bytes`, which must outlive the result. Time and memory are
/// linear in its size. kInvalidModel: it is damaged, or calls what is not on the allow-list (the
/// message names it). kUnsupported: an opcode that describes no data.
Result<Pickle> ReadPickle(std::span<const std::byte> bytes);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_H_
