// Which axis of an ONNX weight its operator says is that of the output channels.
#include <gtest/gtest.h>

#include "tests/import/onnx_model.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {
namespace {

using onnx::Attr;
using onnx::Floats;
using onnx::Node;

TEST(OnnxWeightsTest, OperatorsSayWhereOutputChannelsAre) {
  onnx::Graph graph;
  const std::vector<float> eight(8);
  for (const char* name : {"conv", "up", "gemm", "turned", "matmul", "codes", "bias", "alone"})
    graph.initializers.push_back(Floats(name, {2, 4}, eight));
  graph.initializers.push_back(Floats("scale", {1}, {1}));
  graph.nodes = {Node("Conv", {"x", "conv", "bias"}, {"a"}),
                 Node("ConvTranspose", {"x", "up"}, {"b"}),
                 Node("Gemm", {"x", "gemm"}, {"c"}),
                 Node("Gemm", {"x", "turned"}, {"d"}, {Attr("transB", int64_t{1})}),
                 Node("MatMul", {"x", "matmul"}, {"e"}),
                 Node("DequantizeLinear", {"codes", "scale"}, {"real"}),
                 Node("Conv", {"x", "real"}, {"f"}),
                 Node("Add", {"x", "alone"}, {"g"})};
  const std::string bytes = graph.Model();
  const auto file = OpenWeightBytes(std::as_bytes(std::span(bytes)), "m.onnx");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto axis = [&](const char* name) { return (*file)->Find(name)->channel_axis; };
  EXPECT_EQ(axis("conv"), 0);
  EXPECT_EQ(axis("up"), 1);
  EXPECT_EQ(axis("gemm"), 1);
  EXPECT_EQ(axis("turned"), 0);
  EXPECT_EQ(axis("matmul"), 1);
  EXPECT_EQ(axis("codes"), 0);
  EXPECT_EQ(axis("bias"), -1);
  EXPECT_EQ(axis("alone"), -1);
}

}  // namespace
}  // namespace whit::tools
