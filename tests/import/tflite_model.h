// Tiny .tflite files for the importer's tests, written with the object API of the importer's own
// schema.
#ifndef WHIT_TESTS_IMPORT_TFLITE_MODEL_H_
#define WHIT_TESTS_IMPORT_TFLITE_MODEL_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "import/tflite_generated.h"

namespace whit::tools {

class TfliteModel {
 public:
  TfliteModel() {
    model_.version = 3;
    model_.subgraphs.push_back(std::make_unique<tflite::SubGraphT>());
    model_.buffers.push_back(std::make_unique<tflite::BufferT>());
  }

  tflite::ModelT& model() { return model_; }
  tflite::SubGraphT& graph() { return *model_.subgraphs[0]; }
  tflite::TensorT& tensor(int i) { return *graph().tensors[static_cast<size_t>(i)]; }

  int Tensor(const std::string& name, tflite::TensorType type, std::vector<int32_t> shape) {
    auto t = std::make_unique<tflite::TensorT>();
    t->name = name, t->type = type, t->shape = std::move(shape);
    graph().tensors.push_back(std::move(t));
    return static_cast<int>(graph().tensors.size()) - 1;
  }
  int Quantized(const std::string& name, tflite::TensorType type, std::vector<int32_t> shape,
                std::vector<float> scale, std::vector<int64_t> zero_point) {
    const int i = Tensor(name, type, std::move(shape));
    tensor(i).quantization = std::make_unique<tflite::QuantizationParametersT>();
    tensor(i).quantization->scale = std::move(scale);
    tensor(i).quantization->zero_point = std::move(zero_point);
    return i;
  }
  template <typename T>
  void Fill(int i, const std::vector<T>& values) {
    auto buffer = std::make_unique<tflite::BufferT>();
    buffer->data.resize(values.size() * sizeof(T));
    std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
    tensor(i).buffer = static_cast<uint32_t>(model_.buffers.size());
    model_.buffers.push_back(std::move(buffer));
  }
  int Ints(const std::string& name, const std::vector<int32_t>& values) {
    const int i = Tensor(name, tflite::TensorType::INT32, {static_cast<int32_t>(values.size())});
    Fill(i, values);
    return i;
  }
  int Scalar(const std::string& name, int32_t value) {
    const int i = Tensor(name, tflite::TensorType::INT32, {});
    Fill(i, std::vector<int32_t>{value});
    return i;
  }

  tflite::OperatorT& Op(tflite::BuiltinOperator code, std::vector<int32_t> inputs,
                        std::vector<int32_t> outputs, const std::string& custom = "") {
    auto c = std::make_unique<tflite::OperatorCodeT>();
    c->builtin_code = code;
    c->custom_code = custom;
    auto op = std::make_unique<tflite::OperatorT>();
    op->opcode_index = static_cast<uint32_t>(model_.operator_codes.size());
    op->inputs = std::move(inputs), op->outputs = std::move(outputs);
    model_.operator_codes.push_back(std::move(c));
    graph().operators.push_back(std::move(op));
    return *graph().operators.back();
  }
  /// Options of the last operator.
  template <typename T>
  void Options(T options) {
    graph().operators.back()->builtin_options.type = TypeOf(options);
    graph().operators.back()->builtin_options.value = new T(std::move(options));
  }

  std::vector<uint8_t> Bytes(std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    graph().inputs = std::move(inputs), graph().outputs = std::move(outputs);
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(tflite::Model::Pack(builder, &model_), tflite::ModelIdentifier());
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
  }

 private:
  static tflite::BuiltinOptions TypeOf(const tflite::DepthwiseConv2DOptionsT&) {
    return tflite::BuiltinOptions::DepthwiseConv2DOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::Conv2DOptionsT&) {
    return tflite::BuiltinOptions::Conv2DOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::PackOptionsT&) {
    return tflite::BuiltinOptions::PackOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::StridedSliceOptionsT&) {
    return tflite::BuiltinOptions::StridedSliceOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::ConcatenationOptionsT&) {
    return tflite::BuiltinOptions::ConcatenationOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::VarHandleOptionsT&) {
    return tflite::BuiltinOptions::VarHandleOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::CallOnceOptionsT&) {
    return tflite::BuiltinOptions::CallOnceOptions;
  }
  static tflite::BuiltinOptions TypeOf(const tflite::TransposeConvOptionsT&) {
    return tflite::BuiltinOptions::TransposeConvOptions;
  }

  tflite::ModelT model_;
};

}  // namespace whit::tools

#endif  // WHIT_TESTS_IMPORT_TFLITE_MODEL_H_
