// ONNX files as structs and as weights: what is read, and what is refused.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/import/onnx_model.h"
#include "tools/import/onnx/model_proto.h"
#include "tools/import/weights/weights.h"

namespace whit::tools::onnx {
namespace {

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename T>
std::vector<T> Values(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::string SmallModel() {
  Graph g;
  g.inputs = {Info("x", 1, {"batch", "4"})};
  g.outputs = {Info("y", 1, {"batch", "2"})};
  g.initializers = {Floats("w", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), Int64s("shape", {-1, 2})};
  g.nodes = {Node("Gemm", {"x", "w", ""}, {"h"}, {Attr("transB", int64_t{1}), Attr("alpha", 0.5f)}),
             Node("Reshape", {"h", "shape"}, {"y"})};
  return g.Model();
}

TEST(OnnxProtoTest, AModelAsStructs) {
  const std::string file = SmallModel();
  EXPECT_TRUE(LooksLikeOnnx(AsBytes(file)));
  auto model = ParseModel(AsBytes(file));
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->Opset(""), 13);
  EXPECT_EQ(model->producer, "whit tests");
  ASSERT_EQ(model->graph.nodes.size(), 2u);
  const NodeProto& gemm = model->graph.nodes[0];
  EXPECT_EQ(gemm.op_type, "Gemm");
  EXPECT_EQ(gemm.inputs, (std::vector<std::string_view>{"x", "w", ""}));
  ASSERT_EQ(gemm.attributes.size(), 2u);
  EXPECT_EQ(gemm.attributes[0].i, 1);
  EXPECT_EQ(gemm.attributes[1].f, 0.5f);
  ASSERT_EQ(model->graph.inputs.size(), 1u);
  EXPECT_EQ(model->graph.inputs[0].dims[0].param, "batch");
  EXPECT_EQ(model->graph.inputs[0].dims[1].value, 4);
}

std::vector<int64_t> TypedInts(const Wire& tensor, Status* status) {
  const std::string file = tensor.bytes();
  auto parsed = ParseTensor(AsBytes(file));
  *status = parsed.status();
  if (!parsed.ok()) return {};
  std::vector<std::byte> scratch;
  auto bytes = TensorBytes(*parsed, "", &scratch);
  *status = bytes.status();
  if (!bytes.ok()) return {};
  std::vector<int64_t> values;
  for (int8_t v : Values<int8_t>(*bytes)) values.push_back(v);
  return values;
}

TEST(OnnxProtoTest, TypedFieldsAndHalfBytes) {
  Status status;
  // int8 in int32_data, one negative: ten bytes on the wire.
  EXPECT_EQ(TypedInts(Wire().Int(1, 3).Int(2, 3).Int(5, 7).Int(5, -2).Int(5, 0), &status),
            (std::vector<int64_t>{7, -2, 0}));
  // int4, raw: the low half comes first; the last half is nobody's.
  EXPECT_EQ(TypedInts(Wire().Int(1, 3).Int(2, 22).Text(9, "\x7f\x08"), &status),
            (std::vector<int64_t>{-1, 7, -8}));
  EXPECT_TRUE(TypedInts(Wire().Int(1, 2).Int(2, 3).Int(5, 7), &status).empty());
  EXPECT_NE(status.message().find("2 numbers expected, it has 1"), std::string::npos);
  EXPECT_TRUE(TypedInts(Wire().Int(1, 3).Int(2, 3).Text(9, "ab"), &status).empty());
  EXPECT_NE(status.message().find("3 bytes expected, it has 2"), std::string::npos);
}

TEST(OnnxProtoTest, ClaimedSizesAllocateNothing) {
  Status status;
  EXPECT_TRUE(TypedInts(Wire().Int(1, int64_t{1} << 39).Int(2, 3), &status).empty());
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(TypedInts(Wire().Int(1, int64_t{1} << 32).Int(1, int64_t{1} << 32).Int(2, 3), &status)
                  .empty());
  EXPECT_EQ(status.code(), StatusCode::kOverBudget);
  EXPECT_TRUE(TypedInts(Wire().Int(1, -1).Int(2, 3), &status).empty());
  EXPECT_NE(status.message().find("dimension of -1"), std::string::npos);
  EXPECT_TRUE(TypedInts(Wire().Int(1, 1).Int(2, 8), &status).empty());
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
}

TEST(OnnxProtoTest, EveryTruncationIsAnError) {
  const std::string file = SmallModel();
  for (size_t n = 0; n < file.size(); ++n) {
    const std::string cut = file.substr(0, n);
    auto model = ParseModel(AsBytes(cut));
    // Cut between two fields of the outermost message it is a model that has less.
    EXPECT_TRUE(!model.ok() || model->has_graph);
  }
}

class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("onnx_external_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "model");
    std::ofstream(folder_ / "model" / "data.bin", std::ios::binary) << "0123456789";
    std::ofstream(folder_ / "secret.bin", std::ios::binary) << "0123456789";
    std::filesystem::create_symlink("../secret.bin", folder_ / "model" / "link.bin");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The text of 4 bytes at `offset`, or the error's.
  std::string Read(const std::string& location, const std::string& offset = "2",
                   const std::string& length = "4") {
    Wire w;
    w.Int(1, 4).Int(2, 2).Int(14, 1);
    w.Message(13, Wire().Text(1, "location").Text(2, location));
    w.Message(13, Wire().Text(1, "offset").Text(2, offset));
    w.Message(13, Wire().Text(1, "length").Text(2, length));
    const std::string file = w.bytes();
    auto tensor = ParseTensor(AsBytes(file));
    if (!tensor.ok()) return tensor.status().message();
    std::vector<std::byte> scratch;
    auto bytes = TensorBytes(*tensor, (folder_ / "model").string(), &scratch);
    if (!bytes.ok()) return bytes.status().message();
    return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  }

  std::filesystem::path folder_;
};

TEST_F(ExternalData, IsReadBesideTheModelAlone) {
  EXPECT_EQ(Read("data.bin"), "2345");
  EXPECT_EQ(Read("./data.bin"), "2345");
  EXPECT_NE(Read("../secret.bin").find("relative and without '..'"), std::string::npos);
  EXPECT_NE(Read((folder_ / "secret.bin").string()).find("relative"), std::string::npos);
  EXPECT_NE(Read("link.bin").find("leads out of the model's folder"), std::string::npos);
  EXPECT_NE(Read("").find("relative"), std::string::npos);
  EXPECT_NE(Read(std::string("data.bin\0x", 10)).find("relative"), std::string::npos);
  EXPECT_NE(Read("none.bin").find("no such file"), std::string::npos);
}

TEST_F(ExternalData, RangesStayInTheFile) {
  EXPECT_EQ(Read("data.bin", "6"), "6789");
  EXPECT_NE(Read("data.bin", "7"), "");
  EXPECT_EQ(Read("data.bin", "7").find("789"), std::string::npos);
  EXPECT_NE(Read("data.bin", "999999999999999999").find("data.bin"), std::string::npos);
  EXPECT_NE(Read("data.bin", "-1").find("no number"), std::string::npos);
  EXPECT_NE(Read("data.bin", "0", "5").find("4 bytes expected"), std::string::npos);
}

TEST(OnnxWeightsTest, InitializersAreListedAndRead) {
  Graph g;
  g.initializers = {Floats("w", {2, 2}, {1, 2, 3, 4}), Tensor("q", 3, {2, 2}, "\1\2\3\4"),
                    Floats("scale", {2}, {0.5f, 0.25f}), Tensor("zero", 3, {2}, std::string(2, 0)),
                    Tensor("text", 8, {1}, "")};
  g.nodes = {Node("DequantizeLinear", {"q", "scale", "zero"}, {"w2"}, {Attr("axis", int64_t{0})})};
  const std::string file = g.Model();
  auto weights = OpenWeightBytes(AsBytes(file), "m.onnx");
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  EXPECT_EQ((*weights)->format(), "ONNX");
  ASSERT_EQ((*weights)->tensors().size(), 5u);
  auto floats = ReadFloats(**weights, 0);
  ASSERT_TRUE(floats.ok());
  EXPECT_EQ(*floats, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ((*weights)->tensors()[1].codes.scale, (std::vector<float>{0.5f, 0.25f}));
  EXPECT_EQ((*weights)->tensors()[1].codes.axis, 0);
  EXPECT_NE((*weights)->tensors()[4].refused.find("string"), std::string::npos);
}

}  // namespace
}  // namespace whit::tools::onnx
