// Small ONNX models, written field by field: the numbers are those of onnx.proto.
#ifndef WHIT_TESTS_IMPORT_ONNX_MODEL_H_
#define WHIT_TESTS_IMPORT_ONNX_MODEL_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace whit::tools::onnx {

/// A message on the wire.
class Wire {
 public:
  Wire& Int(uint32_t field, int64_t value) {
    Varint(field << 3 | 0);
    Varint(static_cast<uint64_t>(value));
    return *this;
  }
  Wire& Float(uint32_t field, float value) {
    Varint(field << 3 | 5);
    char raw[4];
    std::memcpy(raw, &value, 4);
    bytes_.append(raw, 4);
    return *this;
  }
  Wire& Text(uint32_t field, const std::string& value) {
    Varint(field << 3 | 2);
    Varint(value.size());
    bytes_ += value;
    return *this;
  }
  Wire& Message(uint32_t field, const Wire& value) { return Text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void Varint(uint64_t value) {
    for (; value > 127; value >>= 7) bytes_ += static_cast<char>((value & 127) | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

template <typename T>
std::string Raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// TensorProto with raw_data. `type`: 1 float32, 2 uint8, 3 int8, 6 int32, 7 int64, 9 bool.
inline Wire Tensor(const std::string& name, int type, const std::vector<int64_t>& dims,
                   const std::string& raw) {
  Wire w;
  for (int64_t d : dims) w.Int(1, d);
  return w.Int(2, type).Text(8, name).Text(9, raw);
}
inline Wire Floats(const std::string& name, const std::vector<int64_t>& dims,
                   const std::vector<float>& values) {
  return Tensor(name, 1, dims, Raw(values));
}
inline Wire Int64s(const std::string& name, const std::vector<int64_t>& values) {
  return Tensor(name, 7, {static_cast<int64_t>(values.size())}, Raw(values));
}

/// AttributeProto.
inline Wire Attr(const std::string& name, int64_t value) {
  return Wire().Text(1, name).Int(3, value).Int(20, 2);
}
inline Wire Attr(const std::string& name, float value) {
  return Wire().Text(1, name).Float(2, value).Int(20, 1);
}
inline Wire Attr(const std::string& name, const char* value) {
  return Wire().Text(1, name).Text(4, value).Int(20, 3);
}
inline Wire Attr(const std::string& name, const std::vector<int64_t>& values) {
  Wire w;
  w.Text(1, name);
  for (int64_t v : values) w.Int(8, v);
  return w.Int(20, 7);
}
inline Wire TensorAttr(const std::string& name, const Wire& tensor) {
  return Wire().Text(1, name).Message(5, tensor).Int(20, 4);
}
inline Wire GraphAttr(const std::string& name, const Wire& graph) {
  return Wire().Text(1, name).Message(6, graph).Int(20, 5);
}

using Texts = std::vector<std::string>;

inline Wire Node(const std::string& op, const Texts& inputs, const Texts& outputs,
                 const std::vector<Wire>& attributes = {}) {
  Wire w;
  for (const std::string& name : inputs) w.Text(1, name);
  for (const std::string& name : outputs) w.Text(2, name);
  w.Text(3, "the " + op).Text(4, op);
  for (const Wire& attribute : attributes) w.Message(5, attribute);
  return w;
}

/// ValueInfoProto; a dimension that is a word is an open one.
inline Wire Info(const std::string& name, int type, const Texts& dims) {
  Wire shape;
  for (const std::string& d : dims) {
    const bool number = !d.empty() && (d[0] == '-' || (d[0] >= '0' && d[0] <= '9'));
    shape.Message(1, number ? Wire().Int(1, std::stoll(d)) : Wire().Text(2, d));
  }
  return Wire().Text(1, name).Message(2, Wire().Message(1, Wire().Int(1, type).Message(2, shape)));
}

struct Graph {
  std::vector<Wire> nodes, initializers, inputs, outputs;

  Wire Message() const {
    Wire w;
    for (const Wire& n : nodes) w.Message(1, n);
    w.Text(2, "graph");
    for (const Wire& t : initializers) w.Message(5, t);
    for (const Wire& v : inputs) w.Message(11, v);
    for (const Wire& v : outputs) w.Message(12, v);
    return w;
  }
  /// The whole file.
  std::string Model(int64_t opset = 13) const {
    return Wire()
        .Int(1, 8)
        .Text(2, "whit tests")
        .Message(7, Message())
        .Message(8, Wire().Text(1, "").Int(2, opset))
        .bytes();
  }
};

}  // namespace whit::tools::onnx

#endif  // WHIT_TESTS_IMPORT_ONNX_MODEL_H_
