// Small files that ask for much: many tables share one vector, many operators one constant. Each is
// refused, or imported, within seconds and within the memory that its size allows.
#include <gtest/gtest.h>

#include <ctime>
#include <limits>

#include "tests/import/imported.h"
#include "tests/import/tflite_model.h"

namespace whit::tools {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;
using Builder = flatbuffers::FlatBufferBuilder;
template <typename T>
using Offsets = std::vector<flatbuffers::Offset<T>>;

constexpr int kMany = 60'000;
constexpr size_t kLong = 1'000'000;

// CPU time, as other tests may run beside this one. Unbounded, these files take minutes or tens of
// gigabytes.
void ExpectQuickly(const std::vector<uint8_t>& tflite, const std::string& message) {
  const std::clock_t begin = std::clock();
  const auto result = ImportTfliteBytes(tflite);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 60.0);
  if (message.empty()) {
    EXPECT_TRUE(result.ok()) << result.status().message();
  } else {
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.status().message().find(message), std::string::npos)
        << result.status().message().substr(0, 1000);
  }
}

// A model whose operators are NEG of tensor 0, one for each further tensor.
std::vector<uint8_t> Chain(Builder& b, const Offsets<tflite::Tensor>& tensors,
                           const Offsets<tflite::Operator>& operators) {
  const auto tensor_list = b.CreateVector(tensors);
  const auto operator_list = b.CreateVector(operators);
  const auto in = b.CreateVector(std::vector<int32_t>{0});
  const auto out = b.CreateVector(std::vector<int32_t>{1});
  const auto graphs = b.CreateVector(
      Offsets<tflite::SubGraph>{tflite::CreateSubGraph(b, tensor_list, in, out, operator_list)});
  const auto codes = b.CreateVector(
      Offsets<tflite::OperatorCode>{tflite::CreateOperatorCode(b, 0, 0, 1, BuiltinOperator::NEG)});
  const auto buffers = b.CreateVector(Offsets<tflite::Buffer>{tflite::CreateBuffer(b)});
  b.Finish(tflite::CreateModel(b, 3, codes, graphs, 0, buffers), tflite::ModelIdentifier());
  return {b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize()};
}

flatbuffers::Offset<flatbuffers::Vector<int32_t>> Shape(Builder& b, std::vector<int32_t> shape) {
  return b.CreateVector(shape);
}

TEST(ImportHostile, SharedNames) {
  Builder b;
  const auto name = b.CreateString(std::string(kLong, 'n'));
  const auto shape = Shape(b, {1});
  Offsets<tflite::Tensor> tensors;
  for (int i = 0; i < kMany; ++i)
    tensors.push_back(tflite::CreateTensor(b, shape, TensorType::FLOAT32, 0, name));
  const auto in = Shape(b, {0}), out = Shape(b, {1});
  ExpectQuickly(Chain(b, tensors, {tflite::CreateOperator(b, 0, in, out)}),
                "elements of vectors and strings");
}

TEST(ImportHostile, SharedInputLists) {
  Builder b;
  const auto shape = Shape(b, {1});
  const Offsets<tflite::Tensor> tensors(2, tflite::CreateTensor(b, shape, TensorType::FLOAT32));
  const auto in = b.CreateVector(std::vector<int32_t>(kLong, -1)), out = Shape(b, {});
  ExpectQuickly(
      Chain(b, tensors, Offsets<tflite::Operator>(kMany, tflite::CreateOperator(b, 0, in, out))),
      "elements of vectors and strings");
}

TEST(ImportHostile, SharedScales) {
  Builder b;
  const auto shape = Shape(b, {1});
  const auto scale = b.CreateVector(std::vector<float>(kLong, 1.0f));
  const auto zero = b.CreateVector(std::vector<int64_t>{0});
  const auto quantization = tflite::CreateQuantizationParameters(b, 0, 0, scale, zero);
  const Offsets<tflite::Tensor> tensors(
      kMany, tflite::CreateTensor(b, shape, TensorType::INT8, 0, 0, quantization));
  const auto in = Shape(b, {0}), out = Shape(b, {1});
  ExpectQuickly(Chain(b, tensors, {tflite::CreateOperator(b, 0, in, out)}),
                "elements of vectors and strings");
}

// One array of weights under as many shapes as it has: each is packed anew.
TEST(ImportHostile, OneConstantInManyForms) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::INT8, {1, 1024, 1024, 1}, {1}, {0});
  const int side = 1 << 20;
  int first = -1;
  std::vector<int32_t> outputs;
  for (int kh = 1; kh <= 1024; kh *= 2) {
    for (int kw = 1; kw <= 1024; kw *= 2) {
      for (int copy = 0; copy < 16; ++copy) {
        const int w = m.Quantized("w", TensorType::INT8, {side / (kh * kw), kh, kw, 1}, {1}, {0});
        if (first < 0) {
          first = w;
          m.Fill(w, std::vector<int8_t>(side, 1));
        }
        m.tensor(w).buffer = m.tensor(first).buffer;
        // A scale of its own makes it another form.
        m.tensor(w).quantization->scale = {1.0f + static_cast<float>(m.graph().tensors.size())};
        const int y = m.Quantized("y", TensorType::INT8, {1}, {1e6f}, {0});
        m.Op(BuiltinOperator::CONV_2D, {x, w}, {y});
        tflite::Conv2DOptionsT o;
        o.stride_h = o.stride_w = 1024;
        m.Options(o);
        outputs.push_back(y);
      }
    }
  }
  ExpectQuickly(m.Bytes({x}, outputs), "bytes of constants, weights and scales");
}

// Constants that are multiplied again and again: folding stops, the rest is left for the runtime to
// judge.
TEST(ImportHostile, FoldingIsBounded) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {4});
  const int a = m.Tensor("a", TensorType::FLOAT32, {16, 1 << 16});
  m.Fill(a, std::vector<float>(16 << 16, 1));
  const int transposed = m.Tensor("t", TensorType::FLOAT32, {1 << 16, 16});
  m.tensor(transposed).buffer = m.tensor(a).buffer;
  std::vector<int32_t> outputs;
  for (int i = 0; i < 2'000; ++i) {  // 1.7e7 products each
    const int y = m.Tensor("y", TensorType::FLOAT32, {16, 16});
    m.Op(BuiltinOperator::BATCH_MATMUL, {a, transposed}, {y});
    outputs.push_back(y);
  }
  const int z = m.Tensor("z", TensorType::FLOAT32, {4});
  m.Op(BuiltinOperator::NEG, {x}, {z});
  outputs.push_back(z);
  ExpectQuickly(m.Bytes({x}, outputs), "");
}

TEST(ImportHostile, AnInitializationRunsOnce) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {2}),
            y = m.Tensor("y", TensorType::FLOAT32, {2});
  tflite::CallOnceOptionsT once;
  once.init_subgraph_index = 1;
  m.Op(BuiltinOperator::CALL_ONCE, {}, {});
  m.Options(once);
  const uint32_t code = m.graph().operators[0]->opcode_index;
  for (int i = 0; i < 30'000; ++i) {
    auto op = std::make_unique<tflite::OperatorT>();
    op->opcode_index = code;
    op->builtin_options.type = tflite::BuiltinOptions::CallOnceOptions;
    op->builtin_options.value = new tflite::CallOnceOptionsT(once);
    m.graph().operators.push_back(std::move(op));
  }
  m.Op(BuiltinOperator::NEG, {x}, {y});
  auto init = std::make_unique<tflite::SubGraphT>();
  const auto handle = static_cast<uint32_t>(m.model().operator_codes.size());
  m.model().operator_codes.push_back(std::make_unique<tflite::OperatorCodeT>());
  m.model().operator_codes.back()->builtin_code = BuiltinOperator::VAR_HANDLE;
  init->tensors.push_back(std::make_unique<tflite::TensorT>());
  init->tensors[0]->type = TensorType::RESOURCE;
  for (int i = 0; i < 30'000; ++i) {
    init->operators.push_back(std::make_unique<tflite::OperatorT>());
    init->operators.back()->opcode_index = handle;
    init->operators.back()->outputs = {0};
  }
  m.model().subgraphs.push_back(std::move(init));
  ExpectQuickly(m.Bytes({x}, {y}), "");
}

TEST(ImportHostile, ALongListIsNoShape) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {2}),
            y = m.Tensor("y", TensorType::FLOAT32, {2});
  const int shape = m.Ints("shape", std::vector<int32_t>(1'000'000, 1));
  m.Op(BuiltinOperator::RESHAPE, {x, shape}, {y});
  const Status s = Refusal(m.Bytes({x}, {y}));
  EXPECT_NE(s.message().find("1000000 numbers, at most 1024"), std::string::npos) << s.message();
}

TEST(ImportHostile, MessagesHoldNoControlCharacters) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {2, 3});
  const int y = m.Tensor("y\033[2J\n", TensorType::FLOAT32, {2});
  const int far = m.Ints("far", {1'000'000, 1'000'000});
  m.Op(BuiltinOperator::BROADCAST_TO, {x, far}, {y});
  const Status s = Refusal(m.Bytes({x}, {y}));
  EXPECT_NE(s.message().find("y?[2J?"), std::string::npos) << s.message();
  EXPECT_EQ(s.message().find('\033'), std::string::npos) << s.message();
}

// FlatBuffers' verifier aligns the length of a vector, not its elements of 8 bytes.
TEST(ImportHostile, ZeroPointsAtFourBytes) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::INT8, {1, 4}, {0.5f}, {7});
  const int y = m.Quantized("y", TensorType::INT8, {1, 4}, {0.5f}, {7});
  m.Op(BuiltinOperator::RELU, {x}, {y});
  std::vector<uint8_t> bytes = m.Bytes({x}, {y});
  bytes.resize((bytes.size() + 7) / 8 * 8);
  const auto length_at = static_cast<uint32_t>(bytes.size());  // so the element is not aligned
  const tflite::QuantizationParameters* q =
      tflite::GetModel(bytes.data())->subgraphs()->Get(0)->tensors()->Get(0)->quantization();
  const uint8_t* const field = reinterpret_cast<const flatbuffers::Table*>(q)->GetAddressOf(
      tflite::QuantizationParameters::VT_ZERO_POINT);
  const auto field_at = static_cast<uint32_t>(field - bytes.data());
  const uint32_t offset = length_at - field_at, length = 1;
  const int64_t zero_point = -5;
  bytes.resize(bytes.size() + 16);
  std::memcpy(bytes.data() + field_at, &offset, sizeof offset);
  std::memcpy(bytes.data() + length_at, &length, sizeof length);
  std::memcpy(bytes.data() + length_at + 4, &zero_point, sizeof zero_point);
  const Imported r(bytes);
  EXPECT_EQ(r.tensor(r.op(0).inputs()->Get(0)).quantization()->zero_point()->Get(0), -5);
}

}  // namespace
}  // namespace whit::tools
