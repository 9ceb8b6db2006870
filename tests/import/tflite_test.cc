// What the importer makes of small models: the operators left, their options, the numbers beside
// the weights; and that any damage to a file ends in a Status.
#include "tools/import/import.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "platform/mapping.h"
#include "tests/import/imported.h"
#include "tests/import/tflite_model.h"

namespace whit::tools {
namespace {

using tflite::BuiltinOperator;
using tflite::TensorType;

// uint8, zero point 130, 1x1 weights of two channels; what a PAD and a RELU around it may add.
struct ConvParts {
  TfliteModel m;
  int x, w, b, y;

  explicit ConvParts(std::vector<int32_t> in = {1, 4, 4, 2},
                     std::vector<int32_t> out = {1, 2, 2, 2}) {
    x = m.Quantized("x", TensorType::UINT8, std::move(in), {0.5f}, {130});
    w = m.Quantized("w", TensorType::UINT8, {2, 3, 3, 2}, {0.25f}, {120});
    m.Fill(w, std::vector<uint8_t>(36, 121));
    b = m.Tensor("b", TensorType::INT32, {2});
    m.Fill(b, std::vector<int32_t>{1000, -1000});
    y = m.Quantized("y", TensorType::UINT8, std::move(out), {0.125f}, {3});
  }
  void Conv(int from, int to, tflite::Padding padding = tflite::Padding::VALID) {
    m.Op(BuiltinOperator::CONV_2D, {from, w, b}, {to});
    tflite::Conv2DOptionsT o;
    o.padding = padding, o.stride_h = 1, o.stride_w = 1;
    m.Options(o);
  }
};

TEST(ImportConv, ShiftsUint8AndFoldsTheBias) {
  ConvParts p;
  p.Conv(p.x, p.y);
  const Imported r(p.m.Bytes({p.x}, {p.y}));
  ASSERT_EQ(r.Ops(), Names{"Conv2D"});
  const auto& o = *r.op(0).options_as_Conv2D();
  const fbs::Weights& w = *r.file->graph().weights()->Get(0);
  EXPECT_EQ(w.zero_point(), 120 - 128);
  EXPECT_EQ(w.runs(), 3u);
  EXPECT_EQ(w.run_length(), 6u);
  // Canonical: zx = 2, zw = -8, stored weights -7, K = 18: b - zx * sum + K * zx * zw.
  const int32_t folded = -2 * (18 * -7) + 18 * 2 * -8;
  EXPECT_EQ(r.Blob<int32_t>(o.bias()), (std::vector<int32_t>{1000 + folded, -1000 + folded}));
  EXPECT_EQ(r.Blob<float>(o.multiplier()), (std::vector<float>{1.0f, 1.0f}));
  EXPECT_EQ(r.tensor(r.op(0).inputs()->Get(0)).type(), fbs::DType::int8);
  EXPECT_EQ(r.tensor(r.op(0).inputs()->Get(0)).quantization()->zero_point()->Get(0), 2);
  EXPECT_EQ(r.file->signature().inputs()->Get(0)->type(), fbs::DType::uint8);
  EXPECT_EQ(r.file->signature().outputs()->Get(0)->type(), fbs::DType::uint8);
}

TEST(ImportConv, TakesAPadIn) {
  ConvParts p({1, 4, 4, 2}, {1, 5, 4, 2});
  const int amounts = p.m.Tensor("pads", TensorType::INT32, {4, 2});
  p.m.Fill(amounts, std::vector<int32_t>{0, 0, 1, 2, 2, 0, 0, 0});
  const int padded = p.m.Quantized("padded", TensorType::UINT8, {1, 7, 6, 2}, {0.5f}, {130});
  p.m.Op(BuiltinOperator::PAD, {p.x, amounts}, {padded});
  p.Conv(padded, p.y);
  const Imported r(p.m.Bytes({p.x}, {p.y}));
  ASSERT_EQ(r.Ops(), Names{"Conv2D"});
  const auto& o = *r.op(0).options_as_Conv2D();
  EXPECT_EQ((std::vector<uint32_t>{o.pad_top(), o.pad_bottom(), o.pad_left(), o.pad_right()}),
            (std::vector<uint32_t>{1, 2, 2, 0}));
}

TEST(ImportConv, LeavesAPadOfAnotherValue) {
  ConvParts p({1, 4, 4, 2}, {1, 4, 4, 2});
  const int amounts = p.m.Tensor("pads", TensorType::INT32, {4, 2});
  p.m.Fill(amounts, std::vector<int32_t>{0, 0, 1, 1, 1, 1, 0, 0});
  const int value = p.m.Quantized("value", TensorType::UINT8, {}, {0.5f}, {130});
  p.m.Fill(value, std::vector<uint8_t>{131});
  const int padded = p.m.Quantized("padded", TensorType::UINT8, {1, 6, 6, 2}, {0.5f}, {130});
  p.m.Op(BuiltinOperator::PADV2, {p.x, amounts, value}, {padded});
  p.Conv(padded, p.y);
  const Imported r(p.m.Bytes({p.x}, {p.y}));
  ASSERT_EQ(r.Ops(), (Names{"Pad", "Conv2D"}));
  EXPECT_EQ(r.op(0).options_as_Pad()->value_i64(), 131 - 128);
}

TEST(ImportUnary, ANegationOfCodesIsRefused) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::INT8, {4}, {0.5f}, {0});
  const int y = m.Quantized("y", TensorType::INT8, {4}, {0.5f}, {0});
  m.Op(BuiltinOperator::LOGICAL_NOT, {x}, {y});
  const Status refused = Refusal(m.Bytes({x}, {y}));
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_NE(refused.message().find("LogicalNot of quantized"), std::string::npos)
      << refused.message();
}

TEST(ImportConv, TakesAReluIn) {
  ConvParts p;
  const int relu = p.m.Quantized("relu", TensorType::UINT8, {1, 2, 2, 2}, {0.125f}, {3});
  p.Conv(p.x, p.y);
  p.m.Op(BuiltinOperator::RELU6, {p.y}, {relu});
  const Imported r(p.m.Bytes({p.x}, {relu}));
  ASSERT_EQ(r.Ops(), Names{"Conv2D"});
  EXPECT_EQ(r.op(0).options_as_Conv2D()->lo(), 3 - 128);
  EXPECT_EQ(r.op(0).options_as_Conv2D()->hi(), 3 - 128 + 48);
}

TEST(ImportConv, LeavesAReluWhoseInputIsReadElsewhere) {
  ConvParts p;
  const int relu = p.m.Quantized("relu", TensorType::UINT8, {1, 2, 2, 2}, {0.125f}, {3});
  p.Conv(p.x, p.y);
  p.m.Op(BuiltinOperator::RELU, {p.y}, {relu});
  const Imported r(p.m.Bytes({p.x}, {relu, p.y}));
  EXPECT_EQ(r.Ops(), (Names{"Conv2D", "Table"}));
}

TEST(ImportConv, RefusesAnAccumulatorThatCouldOverflow) {
  ConvParts p;
  p.m.Fill(p.b, std::vector<int32_t>{std::numeric_limits<int32_t>::max() - 100, 0});
  p.Conv(p.x, p.y);
  const Status s = Refusal(p.m.Bytes({p.x}, {p.y}));
  EXPECT_EQ(s.code(), StatusCode::kUnsupported);
  EXPECT_NE(s.message().find("K 18"), std::string::npos) << s.message();
}

// Depthwise with taps t of channels o holding 10 t + o.
struct DepthwiseParts {
  TfliteModel m;
  int x, w, y;

  DepthwiseParts(TensorType activations, int32_t channels) {
    const bool quantized = activations != TensorType::FLOAT32;
    const auto activation = [&](const char* name, std::vector<int32_t> shape) {
      return quantized ? m.Quantized(name, activations, std::move(shape), {0.5f}, {0})
                       : m.Tensor(name, activations, std::move(shape));
    };
    x = activation("x", {1, 3, 3, channels});
    w = m.Quantized("w", TensorType::INT8, {1, 2, 1, 4}, {0.25f}, {0});
    m.Fill(w, std::vector<int8_t>{0, 1, 2, 3, 10, 11, 12, 13});
    y = activation("y", {1, 2, 3, 4});
    m.Op(BuiltinOperator::DEPTHWISE_CONV_2D, {x, w}, {y});
    tflite::DepthwiseConv2DOptionsT o;
    o.padding = tflite::Padding::VALID, o.stride_h = 1, o.stride_w = 1;
    o.depth_multiplier = 4 / channels;
    m.Options(o);
  }
};

TEST(ImportConv, DepthwiseOfOneChannelIsAConvolution) {
  DepthwiseParts p(TensorType::INT8, 1);
  const Imported r(p.m.Bytes({p.x}, {p.y}));
  ASSERT_EQ(r.Ops(), Names{"Conv2D"});
  const fbs::Weights& w = *r.file->graph().weights()->Get(0);
  EXPECT_EQ(w.layout(), fbs::Layout::panel16_i8);
  EXPECT_EQ(w.runs(), 2u);
  EXPECT_EQ(w.run_length(), 1u);
  const auto bytes = r.Blob<int8_t>(w.data());  // a panel of 8, a tap a step
  for (int o = 0; o < 4; ++o) {
    EXPECT_EQ(bytes.at(static_cast<size_t>(4 * o)), o);
    EXPECT_EQ(bytes.at(static_cast<size_t>(32 + 4 * o)), 10 + o);
  }
}

TEST(ImportConv, DepthwiseOfMoreChannelsOrInHybridArithmeticStays) {
  DepthwiseParts two(TensorType::INT8, 2);
  EXPECT_EQ(Imported(two.m.Bytes({two.x}, {two.y})).Ops(), Names{"DepthwiseConv2D"});
  DepthwiseParts hybrid(TensorType::FLOAT32, 1);
  EXPECT_EQ(Imported(hybrid.m.Bytes({hybrid.x}, {hybrid.y})).Ops(), Names{"DepthwiseConv2D"});
}

TEST(ImportFold, ShapeArithmeticLeavesAReshape) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 6, 4});
  m.tensor(x).shape_signature = {-1, 6, 4};
  const int shape = m.Tensor("shape", TensorType::INT32, {3});
  const int batch = m.Tensor("batch", TensorType::INT32, {});
  const int packed = m.Tensor("packed", TensorType::INT32, {2});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 1});  // stale, as converters leave it
  const int zero = m.Ints("zero", {0}), one = m.Ints("one", {1}), open = m.Scalar("open", -1);
  m.Op(BuiltinOperator::SHAPE, {x}, {shape});
  m.Op(BuiltinOperator::STRIDED_SLICE, {shape, zero, one, one}, {batch});
  tflite::StridedSliceOptionsT slice;
  slice.shrink_axis_mask = 1;
  m.Options(slice);
  m.Op(BuiltinOperator::PACK, {batch, open}, {packed});
  m.Options(tflite::PackOptionsT());
  m.Op(BuiltinOperator::RESHAPE, {x, packed}, {y});
  const Imported r(m.Bytes({x}, {y}));
  ASSERT_EQ(r.Ops(), Names{"Reshape"});
  const fbs::Tensor& out = r.tensor(r.op(0).outputs()->Get(0));
  EXPECT_EQ(std::vector<uint32_t>(out.shape()->begin(), out.shape()->end()),
            (std::vector<uint32_t>{1, 24}));
}

TEST(ImportConcatenation, BringsPartsToTheOutputsScale) {
  TfliteModel m;
  const int a = m.Quantized("a", TensorType::INT8, {1, 4}, {0.5f}, {1});
  const int b = m.Quantized("b", TensorType::INT8, {1, 4}, {0.25f}, {2});
  const int y = m.Quantized("y", TensorType::INT8, {1, 8}, {0.5f}, {1});
  m.Op(BuiltinOperator::CONCATENATION, {a, b}, {y});
  tflite::ConcatenationOptionsT o;
  o.axis = -1;
  m.Options(o);
  const Imported r(m.Bytes({a, b}, {y}));
  EXPECT_EQ(r.Ops(), (Names{"Quantize", "Concatenation"}));
}

TEST(ImportCast, OfQuantizedUint8SeesTheStoredNumber) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::UINT8, {4}, {0.5f}, {130});
  const int y = m.Tensor("y", TensorType::FLOAT32, {4});
  m.Op(BuiltinOperator::CAST, {x}, {y});
  const Imported r(m.Bytes({x}, {y}));
  ASSERT_EQ(r.Ops(), (Names{"Reshape", "Dequantize"}));
  const fbs::Tensor& counted = r.tensor(r.op(1).inputs()->Get(0));
  EXPECT_EQ(counted.quantization()->scale()->Get(0), 1.0f);
  EXPECT_EQ(counted.quantization()->zero_point()->Get(0), -128);
}

TEST(ImportVariable, StartsWithWhatTheInitializationAssigns) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {2}),
            y = m.Tensor("y", TensorType::FLOAT32, {2});
  const int old = m.Tensor("old", TensorType::FLOAT32, {2}),
            handle = m.Tensor("handle", TensorType::RESOURCE, {});
  tflite::VarHandleOptionsT name;
  name.shared_name = "count";
  m.Op(BuiltinOperator::CALL_ONCE, {}, {});
  tflite::CallOnceOptionsT once;
  once.init_subgraph_index = 1;
  m.Options(once);
  m.Op(BuiltinOperator::VAR_HANDLE, {}, {handle});
  m.Options(name);
  m.Op(BuiltinOperator::READ_VARIABLE, {handle}, {old});
  m.Op(BuiltinOperator::ADD, {x, old}, {y});
  m.Op(BuiltinOperator::ASSIGN_VARIABLE, {handle, y}, {});
  // The initialization: count = {3, 4}.
  TfliteModel init;
  const int h = init.Tensor("h", TensorType::RESOURCE, {}),
            v = init.Tensor("v", TensorType::FLOAT32, {2});
  auto buffer = std::make_unique<tflite::BufferT>();
  const float values[2] = {3, 4};
  buffer->data.resize(sizeof(values));
  std::memcpy(buffer->data.data(), values, sizeof(values));
  init.tensor(v).buffer = static_cast<uint32_t>(m.model().buffers.size());
  m.model().buffers.push_back(std::move(buffer));
  const auto codes = static_cast<uint32_t>(m.model().operator_codes.size());
  init.Op(BuiltinOperator::VAR_HANDLE, {}, {h});
  init.Options(name);
  init.Op(BuiltinOperator::ASSIGN_VARIABLE, {h, v}, {});
  for (auto& op : init.graph().operators) op->opcode_index += codes;
  for (auto& code : init.model().operator_codes)
    m.model().operator_codes.push_back(std::move(code));
  m.model().subgraphs.push_back(std::move(init.model().subgraphs[0]));

  const Imported r(m.Bytes({x}, {y}));
  ASSERT_EQ(r.Ops(), (Names{"ReadVariable", "Add", "AssignVariable"}));
  ASSERT_EQ(r.file->graph().variables()->size(), 1u);
  EXPECT_EQ(r.Blob<float>(r.file->graph().variables()->Get(0)->init()), (std::vector<float>{3, 4}));
}

// int4 weights: two a byte, the low half first; here they are bytes.
TEST(ImportInt4, WeightsAreUnpacked) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::INT8, {1, 3}, {0.5f}, {1});
  const int w = m.Quantized("w", TensorType::INT4, {1, 3}, {0.25f}, {0});
  m.Fill(w, std::vector<uint8_t>{0x8f, 0x07});  // -1, -8, 7
  const int y = m.Quantized("y", TensorType::INT8, {1, 1}, {1.0f}, {0});
  m.Op(BuiltinOperator::FULLY_CONNECTED, {x, w, -1}, {y});
  const Imported r(m.Bytes({x}, {y}));
  ASSERT_EQ(r.Ops(), Names{"FullyConnected"});
  const fbs::Weights& packed = *r.file->graph().weights()->Get(0);
  EXPECT_EQ(r.Blob<int32_t>(packed.sums()), std::vector<int32_t>{-2});
  const auto data = r.Blob<int8_t>(packed.data());
  EXPECT_EQ((std::vector<int8_t>(data.begin(), data.begin() + 4)),
            (std::vector<int8_t>{-1, -8, 7, 0}));
}

TEST(ImportInt4, NamesBothSizesAndRefusesActivations) {
  TfliteModel m;
  const int x = m.Quantized("x", TensorType::INT8, {1, 3}, {0.5f}, {1});
  const int w = m.Quantized("w", TensorType::INT4, {1, 3}, {0.25f}, {0});
  m.Fill(w, std::vector<uint8_t>{1, 2, 3});
  const int y = m.Quantized("y", TensorType::INT8, {1, 1}, {1.0f}, {0});
  m.Op(BuiltinOperator::FULLY_CONNECTED, {x, w, -1}, {y});
  const Status size = Refusal(m.Bytes({x}, {y}));
  EXPECT_NE(size.message().find("int4[1,3] needs 2 bytes, its buffer has 3"), std::string::npos)
      << size.message();
  TfliteModel a;
  const int in = a.Quantized("in", TensorType::INT4, {4}, {0.5f}, {0});
  const int out = a.Quantized("out", TensorType::INT4, {4}, {0.5f}, {0});
  a.Op(BuiltinOperator::NEG, {in}, {out});
  EXPECT_NE(Refusal(a.Bytes({in}, {out})).message().find("INT4"), std::string::npos);
}

TEST(ImportInput, OpenDimensionsAreFixedAndSaid) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 5});
  m.tensor(x).shape_signature = {-1, 5};
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 5});
  m.Op(BuiltinOperator::NEG, {x}, {y});
  const Imported r(m.Bytes({x}, {y}));
  ASSERT_EQ(r.report.notes.size(), 1u);
  EXPECT_NE(r.report.notes[0].find("'x'"), std::string::npos) << r.report.notes[0];
  EXPECT_NE(r.report.notes[0].find("[1,5]"), std::string::npos) << r.report.notes[0];
}

TEST(ImportInput, TakesAShapeForWhatIsOpen) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, 1, 3});
  m.tensor(x).shape_signature = {-1, -1, 3};
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 1, 3});
  m.Op(BuiltinOperator::NEG, {x}, {y});
  const auto bytes = m.Bytes({x}, {y});
  ImportOptions options;
  options.shapes = {{"x", {4, 5, 3}}};
  auto result = ImportTfliteBytes(bytes, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  auto file = ModelFile::Open(Mapping::Borrow(*result));
  ASSERT_TRUE(file.ok()) << file.status().message();
  for (const fbs::Tensor* t : *(*file)->main_subgraph().tensors()) {
    EXPECT_EQ(std::vector<uint32_t>(t->shape()->begin(), t->shape()->end()),
              (std::vector<uint32_t>{4, 5, 3}));
  }
  for (const std::vector<int64_t>& wrong :
       {std::vector<int64_t>{4, 5}, {4, 0, 3}, {1 << 20, 1 << 20, 3}, {4, 5, -3}}) {
    options.shapes = {{"x", wrong}};
    const Status s = ImportTfliteBytes(bytes, options).status();
    EXPECT_EQ(s.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(s.message().find("must have 3 dimensions"), std::string::npos) << s.message();
  }
  options.shapes = {{"z", {1, 1, 3}}};
  const Status unknown = ImportTfliteBytes(bytes, options).status();
  EXPECT_EQ(unknown.message(), "the model has no input 'z'; it has 'x'");
}

TEST(ImportInput, WithoutAShapeIsRefused) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {1, -1, 3});
  const int y = m.Tensor("y", TensorType::FLOAT32, {1, 1, 3});
  m.Op(BuiltinOperator::NEG, {x}, {y});
  const Status s = Refusal(m.Bytes({x}, {y}));
  EXPECT_EQ(s.code(), StatusCode::kInvalidModel);
  EXPECT_NE(s.message().find("model input 'x'"), std::string::npos) << s.message();
}

TEST(ImportRefusal, ListsEverythingInOneMessage) {
  TfliteModel m;
  const int x = m.Tensor("x", TensorType::FLOAT32, {2}),
            a = m.Tensor("alpha", TensorType::FLOAT32, {2});
  const int b = m.Tensor("beta", TensorType::FLOAT32, {2}),
            c = m.Tensor("gamma", TensorType::COMPLEX64, {2});
  const int y = m.Tensor("y", TensorType::FLOAT32, {2});
  m.Op(BuiltinOperator::CUSTOM, {x}, {a}, "Sinh");
  m.Op(BuiltinOperator::UNIQUE, {x}, {b});
  m.Op(BuiltinOperator::NEG, {x}, {c});
  m.Op(BuiltinOperator::ADD, {a, b}, {y});
  const Status s = Refusal(m.Bytes({x}, {y}));
  EXPECT_EQ(s.code(), StatusCode::kUnsupported);
  for (const char* part : {"CUSTOM Sinh", "'alpha'", "UNIQUE", "'beta'", "COMPLEX64", "'gamma'"}) {
    EXPECT_NE(s.message().find(part), std::string::npos) << part << " in: " << s.message();
  }
  EXPECT_EQ(s.message().find("ADD"), std::string::npos)
      << "a reader of what is missing is no defect: " << s.message();
}

TEST(ImportRefusal, OfWhatIsNoModel) {
  EXPECT_EQ(Refusal({}).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(std::vector<uint8_t>(100, 7)).code(), StatusCode::kInvalidModel);
  TfliteModel reads_nothing;
  const int x = reads_nothing.Tensor("x", TensorType::FLOAT32, {2});
  const int ghost = reads_nothing.Tensor("ghost", TensorType::FLOAT32, {2});
  const int y = reads_nothing.Tensor("y", TensorType::FLOAT32, {2});
  reads_nothing.Op(BuiltinOperator::ADD, {x, ghost}, {y});
  EXPECT_NE(Refusal(reads_nothing.Bytes({x}, {y})).message().find("nobody has written"),
            std::string::npos);
  TfliteModel wild;
  wild.Tensor("x", TensorType::FLOAT32, {2});
  wild.Op(BuiltinOperator::ADD, {0, 77}, {0});
  EXPECT_NE(Refusal(wild.Bytes({0}, {0})).message().find("77"), std::string::npos);
}

// Every length and every byte of a small file with constants, options and quantization: a result or
// a Status, and a result is a file that opens (the import proves that itself).
TEST(ImportDamage, EndsInAStatus) {
  ConvParts p({1, 4, 4, 2}, {1, 5, 4, 2});
  const int amounts = p.m.Tensor("pads", TensorType::INT32, {4, 2});
  p.m.Fill(amounts, std::vector<int32_t>{0, 0, 1, 2, 2, 0, 0, 0});
  const int padded = p.m.Quantized("padded", TensorType::UINT8, {1, 7, 6, 2}, {0.5f}, {130});
  p.m.Op(BuiltinOperator::PAD, {p.x, amounts}, {padded});
  p.Conv(padded, p.y);
  const std::vector<uint8_t> good = p.m.Bytes({p.x}, {p.y});
  size_t refused = 0;
  for (size_t n = 0; n < good.size(); n += 3) {
    refused += !ImportTfliteBytes(std::span(good).first(n)).ok();
  }
  EXPECT_GT(refused, good.size() / 6);
  for (size_t at = 0; at < good.size(); ++at) {
    for (uint8_t flip : {0x01, 0x80, 0xff}) {
      std::vector<uint8_t> bad = good;
      bad[at] ^= flip;
      (void)ImportTfliteBytes(bad);
    }
  }
}

// Every real model at hand, where the shared data lies beside the repository.
TEST(ImportReal, SharedModels) {
  const char* env = std::getenv("WHIT_SHARED");
  const std::filesystem::path folder =
      std::filesystem::path(env != nullptr ? env : WHIT_SHARED_DIR) / "data/models";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "SKIPPED: no models at " << folder << "; set WHIT_SHARED";
  }
  size_t models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".tflite") continue;
    const auto bytes = ReadWholeFile(entry.path().string(), 1u << 30);
    ASSERT_TRUE(bytes.ok());
    auto result =
        ImportTfliteBytes({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()});
    EXPECT_TRUE(result.ok()) << entry.path() << ": " << result.status().message();
    ++models;
  }
  EXPECT_GT(models, 10u);
}

}  // namespace
}  // namespace whit::tools
