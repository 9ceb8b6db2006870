#include "tools/import/weights/torch_tensors.h"

#include <algorithm>
#include <iterator>

#include "tools/import/shown.h"
#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/numpy_type.h"

namespace whit::tools {

namespace {

// Deeper than any module tree; Python's own pickler stops at about 1000.
constexpr int kMaxDepth = 256;
// A shared part of the pickle is walked once for every name that leads to it. A container costs as
// much as that many plain values: its name is made.
constexpr uint64_t kMaxPickleSteps = 20'000'000, kStepsOfContainer = 20;

struct TorchTypeRow {
  std::string_view storage, dtype;
  ElementType type;
};
constexpr TorchTypeRow kTorchTypes[] = {
    {"DoubleStorage", "float64", ElementType::kFloat64},
    {"FloatStorage", "float32", ElementType::kFloat32},
    {"HalfStorage", "float16", ElementType::kFloat16},
    {"BFloat16Storage", "bfloat16", ElementType::kBfloat16},
    {"", "float8_e4m3fn", ElementType::kFloat8E4M3},
    {"", "float8_e5m2", ElementType::kFloat8E5M2},
    {"LongStorage", "int64", ElementType::kInt64},
    {"IntStorage", "int32", ElementType::kInt32},
    {"ShortStorage", "int16", ElementType::kInt16},
    {"CharStorage", "int8", ElementType::kInt8},
    {"", "uint64", ElementType::kUint64},
    {"", "uint32", ElementType::kUint32},
    {"", "uint16", ElementType::kUint16},
    {"ByteStorage", "uint8", ElementType::kUint8},
    {"BoolStorage", "bool", ElementType::kBool},
    {"ComplexFloatStorage", "complex64", ElementType::kComplex64},
    {"ComplexDoubleStorage", "complex128", ElementType::kComplex128},
    {"QInt8Storage", "qint8", ElementType::kInt8},
    {"QUInt8Storage", "quint8", ElementType::kUint8},
    {"QInt32Storage", "qint32", ElementType::kInt32},
    {"UntypedStorage", "", ElementType::kUint8},
};

class Finder {
 public:
  Finder(const Pickle& pickle, const WeightLimits& limits) : p_(pickle), limits_(limits) {}

  Result<std::vector<TorchTensor>> Run() {
    WHIT_RETURN_IF_ERROR(Walk(p_.root, "", 0));
    return std::move(found_);
  }

 private:
  const PickleValue& At(PickleRef i) const { return p_[i]; }
  static Status Bad(const std::string& what) { return Status(StatusCode::kInvalidModel, what); }

  static std::string Joined(const std::string& prefix, const std::string& name) {
    return prefix.empty() ? name : prefix + "." + name;
  }

  bool IsPlain(PickleRef i) const {
    const PickleKind kind = At(i).kind;
    return kind != PickleKind::kDict && kind != PickleKind::kList && kind != PickleKind::kTuple &&
           kind != PickleKind::kCall;
  }

  // Charges a container and its values.
  Status Step(const std::string& name, int depth, size_t values) {
    if (depth > kMaxDepth) {
      return Bad("containers inside of containers, more than " + std::to_string(kMaxDepth) +
                 " deep, below '" + name.substr(0, 80) + "'");
    }
    steps_ += kStepsOfContainer + values;
    if (steps_ > kMaxPickleSteps || name.size() > limits_.name_bytes) {
      return Status(StatusCode::kOverBudget,
                    "more than " + std::to_string(kMaxPickleSteps) +
                        " values, counted where they are shared, or names that are too long");
    }
    return OkStatus();
  }

  Status Walk(PickleRef i, const std::string& name, int depth) {
    const PickleValue& v = At(i);
    if (IsPlain(i)) return OkStatus();
    WHIT_RETURN_IF_ERROR(Step(name, depth, v.items.size()));
    switch (v.kind) {
      case PickleKind::kDict:
        return WalkPairs(v.items, 0, name, false, depth);
      case PickleKind::kList:
      case PickleKind::kTuple:
        for (size_t k = 0; k < v.items.size(); ++k) {
          if (IsPlain(v.items[k])) continue;
          WHIT_RETURN_IF_ERROR(Walk(v.items[k], Joined(name, std::to_string(k)), depth + 1));
        }
        return OkStatus();
      case PickleKind::kCall:
        return WalkCall(v, name, depth);
      default:
        return OkStatus();
    }
  }

  Status WalkPairs(const std::vector<PickleRef>& items, size_t from, const std::string& name,
                   bool module, int depth) {
    for (size_t k = from; k + 1 < items.size(); k += 2)
      WHIT_RETURN_IF_ERROR(WalkPair(items[k], items[k + 1], name, module, depth));
    return OkStatus();
  }

  Status WalkPair(PickleRef key, PickleRef value, const std::string& name, bool module, int depth) {
    const PickleValue& k = At(key);
    if (IsPlain(value)) return OkStatus();
    std::string part;
    if (k.kind == PickleKind::kText) {
      part = ToUtf8(k.text);
    } else if (k.kind == PickleKind::kInt || k.kind == PickleKind::kBool) {
      part = std::to_string(k.number);
    } else {
      return OkStatus();  // a key that is no name
    }
    const bool own = part == "_parameters" || part == "_buffers" || part == "_modules";
    return Walk(value, module && own ? name : Joined(name, part), depth + 1);
  }

  Status WalkCall(const PickleValue& call, const std::string& name, int depth) {
    const std::string_view callee = At(call.items[0]).text;
    const PickleRef args = call.items[1], state = call.items[2];
    if (callee == "torch._utils._rebuild_tensor_v2" || callee == "torch._utils._rebuild_tensor")
      return AddTensor(args, name, false);
    if (callee == "torch._utils._rebuild_tensor_v3") return AddTensor(args, name, true);
    if (callee == "torch._utils._rebuild_qtensor") return AddQuantized(args, name);
    if (callee == "torch._utils._rebuild_sparse_tensor") return AddRefused(name, "a sparse tensor");
    if (IsParameter(callee)) {
      const PickleRef data = Argument(args, 0);
      return data < 0 ? Bad("'" + name + "' is a parameter without data")
                      : Walk(data, name, depth + 1);
    }
    if (callee == "torch._tensor._rebuild_from_type_v2") {  // function, type, arguments, state
      const PickleRef function = Argument(args, 0), inner = Argument(args, 2);
      if (function < 0 || inner < 0 || At(function).kind != PickleKind::kGlobal)
        return Bad("'" + name + "' is rebuilt from nothing");
      PickleValue again;
      again.kind = PickleKind::kCall, again.items = {function, inner, -1};
      WHIT_RETURN_IF_ERROR(Step(name, depth, 0));
      return WalkCall(again, name, depth + 1);
    }
    if (callee == "torch.jit._pickle.restore_type_tag" ||
        callee == "torch.jit._pickle.build_tensorlist") {
      const PickleRef data = Argument(args, 0);
      return data < 0 ? OkStatus() : Walk(data, name, depth + 1);
    }
    if (callee.ends_with(".multiarray._reconstruct")) return AddArray(state, name);
    WHIT_RETURN_IF_ERROR(WalkItemsOfDict(call, args, name, depth));
    if (state < 0) return OkStatus();
    const PickleValue& s = At(state);
    if (callee == "collections.OrderedDict") return OkStatus();  // of the dict itself: _metadata
    if (s.kind == PickleKind::kDict) return WalkPairs(s.items, 0, name, true, depth);
    // Objects with slots have a pair of dicts.
    if (s.kind == PickleKind::kTuple && s.items.size() == 2 &&
        At(s.items[1]).kind == PickleKind::kDict) {
      return WalkPairs(At(s.items[1]).items, 0, name, true, depth);
    }
    return OkStatus();
  }

  // Items set behind a call that made a dict, and those of its argument: OrderedDict([(k, v),
  // ...]).
  Status WalkItemsOfDict(const PickleValue& call, PickleRef args, const std::string& name,
                         int depth) {
    const PickleRef first = Argument(args, 0);
    if (first >= 0 && At(call.items[0]).text == "collections.OrderedDict" &&
        At(first).kind == PickleKind::kList) {
      for (const PickleRef pair : At(first).items) {
        const PickleValue& p = At(pair);
        const bool two =
            (p.kind == PickleKind::kList || p.kind == PickleKind::kTuple) && p.items.size() == 2;
        if (two) WHIT_RETURN_IF_ERROR(WalkPair(p.items[0], p.items[1], name, false, depth));
      }
    }
    return WalkPairs(call.items, 3, name, false, depth);
  }

  static bool IsParameter(std::string_view callee) {
    return callee == "torch._utils._rebuild_parameter" ||
           callee == "torch._utils._rebuild_parameter_with_state" ||
           callee == "torch.nn.parameter.Parameter" || callee == "torch.nn.parameter.Buffer";
  }

  /// Argument k of a call, or -1.
  PickleRef Argument(PickleRef args, size_t k) const {
    const PickleValue& a = At(args);
    return a.kind == PickleKind::kTuple && k < a.items.size() ? a.items[k] : -1;
  }
  bool Number(PickleRef i, int64_t least, int64_t* value) const {
    if (i < 0 || At(i).kind != PickleKind::kInt || At(i).number < least) return false;
    *value = At(i).number;
    return true;
  }
  bool Numbers(PickleRef i, std::vector<int64_t>* values) const {
    // torch.Size((2, 3)) in some files.
    if (i >= 0 && At(i).kind == PickleKind::kCall) i = Argument(At(i).items[1], 0);
    if (i < 0 || (At(i).kind != PickleKind::kTuple && At(i).kind != PickleKind::kList))
      return false;
    for (const PickleRef k : At(i).items) {
      values->push_back(0);
      if (!Number(k, 0, &values->back())) return false;
    }
    return true;
  }

  Status Keep(TorchTensor tensor, const std::string& name) {
    tensor.entry.name = names_.Take(name, "tensor");
    WHIT_RETURN_IF_ERROR(CheckEntry(tensor.entry, found_.size(), limits_));
    found_.push_back(std::move(tensor));
    return OkStatus();
  }

  Status AddRefused(const std::string& name, const std::string& why) {
    TorchTensor t;
    t.entry.refused = why;
    return Keep(std::move(t), name);
  }

  /// ("storage", type, key, device, elements, view), set behind a persistent id.
  Status ReadStorage(PickleRef i, const std::string& name, TorchTensor* t) const {
    const std::string label = "tensor '" + name.substr(0, 120) + "': ";
    if (i < 0 || At(i).kind != PickleKind::kPersistent) return Bad(label + "has no storage");
    const PickleRef id = At(i).items[0];
    const PickleRef kind = Argument(id, 0), type = Argument(id, 1), key = Argument(id, 2);
    int64_t elements = 0;
    if (kind < 0 || At(kind).text != "storage" || type < 0 || key < 0 ||
        At(type).kind != PickleKind::kGlobal || !Number(Argument(id, 4), 0, &elements)) {
      return Bad(label + "its storage is described in no known way");
    }
    t->storage = At(key).text, t->storage_elements = static_cast<uint64_t>(elements);
    if (At(key).kind != PickleKind::kText || t->storage.empty())
      return Bad(label + "its storage has no name");
    if (!TorchType(At(type).text, &t->storage_type))
      t->entry.refused = "elements of " + std::string(At(type).text);
    const PickleRef view = Argument(id, 5);  // (key, offset, size) of another, in old files
    if (view >= 0 && At(view).kind == PickleKind::kTuple) {
      t->entry.refused = "a view of another storage, as files before PyTorch 0.4 have them";
    }
    return OkStatus();
  }

  Status AddTensor(PickleRef args, const std::string& name, bool typed) {
    TorchTensor t;
    WHIT_RETURN_IF_ERROR(ReadStorage(Argument(args, 0), name, &t));
    t.entry.type = t.storage_type;
    if (typed) {  // storage, offset, size, stride, requires_grad, hooks, dtype, metadata
      const PickleRef dtype = Argument(args, 6);
      if (dtype < 0 || !TorchType(At(dtype).text, &t.entry.type))
        t.entry.refused = "elements of a type that is not known";
    }
    const PickleRef metadata = Argument(args, typed ? 7 : 6);
    if (metadata >= 0 && !At(metadata).items.empty() && t.entry.refused.empty())
      t.entry.refused = "a conjugated or negated view";
    return AddView(args, std::move(t), name);
  }

  Status AddView(PickleRef args, TorchTensor t, const std::string& name) {
    WHIT_RETURN_IF_ERROR(ReadView(args, name, &t));
    return Keep(std::move(t), name);
  }

  Status ReadView(PickleRef args, const std::string& name, TorchTensor* t) const {
    int64_t offset = 0;
    if (!Number(Argument(args, 1), 0, &offset) || !Numbers(Argument(args, 2), &t->entry.shape) ||
        !Numbers(Argument(args, 3), &t->stride) || t->stride.size() != t->entry.shape.size()) {
      return Bad("tensor '" + name.substr(0, 120) +
                 "': offset, size or stride is missing or below 0");
    }
    t->offset = static_cast<uint64_t>(offset);
    return OkStatus();
  }

  // storage, offset, size, stride, quantizer, ...: the quantizer is (scheme, scale, zero point), or
  // (scheme, scales, zero points, axis), the second and third tensors.
  Status AddQuantized(PickleRef args, const std::string& name) {
    TorchTensor t;
    WHIT_RETURN_IF_ERROR(ReadStorage(Argument(args, 0), name, &t));
    t.entry.type = t.storage_type;
    const PickleRef quantizer = Argument(args, 4);
    const PickleRef scheme = quantizer < 0 ? -1 : Argument(quantizer, 0);
    int64_t zero_point = 0;
    if (scheme >= 0 && At(scheme).text == "torch.per_tensor_affine") {
      const PickleRef scale = Argument(quantizer, 1);
      if (scale >= 0 && At(scale).kind == PickleKind::kFloat &&
          Number(Argument(quantizer, 2), INT64_MIN, &zero_point)) {
        t.entry.codes.scale = {static_cast<float>(At(scale).real)};
        t.entry.codes.zero_point = {zero_point};
      }
    }
    if (scheme >= 0 && At(scheme).text == "torch.per_channel_affine") {
      WHIT_RETURN_IF_ERROR(ReadChannelCodes(quantizer, name, &t));
    }
    if (t.entry.codes.empty() && t.channel_codes.empty() && t.entry.refused.empty()) {
      t.entry.refused =
          "quantized by " +
          (scheme < 0 ? "no scheme" : Shown(std::string(At(scheme).text.substr(0, 120)))) +
          ", known are torch.per_tensor_affine and torch.per_channel_affine";
    }
    return AddView(args, std::move(t), name);
  }

  Status ReadChannelCodes(PickleRef quantizer, const std::string& name, TorchTensor* t) const {
    int64_t axis = 0;
    if (!Number(Argument(quantizer, 3), 0, &axis) || axis > INT32_MAX)
      return Bad("tensor '" + name.substr(0, 120) + "': its scales have no axis");
    t->entry.codes.axis = static_cast<int>(axis);
    for (const size_t k : {1, 2}) {
      const PickleRef call = Argument(quantizer, k);
      const std::string part = name.substr(0, 120) + (k == 1 ? " (scales)" : " (zero points)");
      const bool tensor = call >= 0 && At(call).kind == PickleKind::kCall &&
                          At(At(call).items[0]).text == "torch._utils._rebuild_tensor_v2";
      if (!tensor) return Bad("tensor '" + part + "': is no tensor");
      TorchTensor codes;
      const PickleRef args = At(call).items[1];
      WHIT_RETURN_IF_ERROR(ReadStorage(Argument(args, 0), part, &codes));
      codes.entry.type = codes.storage_type;
      WHIT_RETURN_IF_ERROR(ReadView(args, part, &codes));
      WHIT_RETURN_IF_ERROR(CheckEntry(codes.entry, 0, limits_));
      t->channel_codes.push_back(std::move(codes));
    }
    return OkStatus();
  }

  // Bytes as such, or as protocol 2 writes them: encode(text, 'latin1') of code points below 256.
  bool ReadBytes(PickleRef i, TorchTensor* t) const {
    if (At(i).kind == PickleKind::kBytes) {
      t->bytes = std::as_bytes(std::span(At(i).text.data(), At(i).text.size()));
      return true;
    }
    if (At(i).kind != PickleKind::kCall || At(At(i).items[0]).text != "_codecs.encode")
      return false;
    const PickleRef text = Argument(At(i).items[1], 0);
    if (text < 0 || At(text).kind != PickleKind::kText) return false;
    auto bytes = std::make_shared<std::vector<std::byte>>();
    const std::string_view utf8 = At(text).text;
    for (size_t k = 0; k < utf8.size(); ++k) {
      auto c = static_cast<unsigned char>(utf8[k]);
      if (c >= 0x80) {  // two bytes: 110000xx 10xxxxxx
        if ((c & 0xfc) != 0xc0 || ++k == utf8.size()) return false;
        c = static_cast<unsigned char>((c & 3) << 6 | (utf8[k] & 0x3f));
      }
      bytes->push_back(static_cast<std::byte>(c));
    }
    t->bytes = *bytes, t->owned = std::move(bytes);
    return true;
  }

  // State of a NumPy array: (version, shape, dtype, Fortran order, bytes).
  Status AddArray(PickleRef state, const std::string& name) {
    const PickleRef dtype = state < 0 ? -1 : Argument(state, 2);
    const PickleRef order = state < 0 ? -1 : Argument(state, 3);
    const PickleRef data = state < 0 ? -1 : Argument(state, 4);
    TorchTensor t;
    if (dtype < 0 || order < 0 || data < 0 || !Numbers(Argument(state, 1), &t.entry.shape))
      return AddRefused(name, "an array whose state is described in no known way");
    // numpy.dtype('f4', ...), whose state is (version, byte order, ...).
    std::string text;
    if (At(dtype).kind == PickleKind::kCall) {
      const PickleRef kind = Argument(At(dtype).items[1], 0);
      const PickleRef type_state = At(dtype).items[2];
      const PickleRef end = type_state < 0 ? -1 : Argument(type_state, 1);
      if (kind >= 0 && end >= 0) text = std::string(At(end).text) + std::string(At(kind).text);
    }
    if (!NumpyType(text, &t.entry.type, &t.big_endian))
      return AddRefused(name, "an array of elements that are not known");
    if (!ReadBytes(data, &t)) return AddRefused(name, "an array without bytes");
    int64_t step = 1;
    const size_t rank = t.entry.shape.size();
    t.stride.resize(rank);
    WHIT_RETURN_IF_ERROR(CheckEntry(t.entry, found_.size(), limits_));  // before the products below
    for (size_t k = 0; k < rank; ++k) {
      const size_t axis = At(order).number != 0 ? k : rank - 1 - k;
      t.stride[axis] = step, step *= std::max<int64_t>(1, t.entry.shape[axis]);
    }
    return Keep(std::move(t), name);
  }

  const Pickle& p_;
  const WeightLimits& limits_;
  EntryNames names_;
  std::vector<TorchTensor> found_;
  uint64_t steps_ = 0;
};

}  // namespace

bool TorchType(std::string_view name, ElementType* type) {
  const size_t dot = name.rfind('.');
  if (dot != name.npos) name.remove_prefix(dot + 1);
  for (const TorchTypeRow& row : kTorchTypes) {
    if (name.empty() || (name != row.storage && name != row.dtype)) continue;
    *type = row.type;
    return true;
  }
  return false;
}

Result<std::vector<TorchTensor>> FindTorchTensors(const Pickle& pickle,
                                                  const WeightLimits& limits) {
  return Finder(pickle, limits).Run();
}

}  // namespace whit::tools
