// XNNPACK beside the reference: the same operator on the same data, floats within a tolerance.
// Skipped, visibly, where the build has no XNNPACK.
#include <gtest/gtest.h>

#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

bool HasXnnpack(OpType type) {
  for (const Implementation& i : AlternativesOf(type)) {
    if (std::string(i.name) == "xnnpack") return true;
  }
  return false;
}

/// Runs both; `build` adds options, inputs and outputs. Accepted nodes must agree within
/// `tolerance` (absolute, values are of the order of 1) and must not be called exact.
template <typename OptionsT, typename Build>
void Compare(OpType type, const OptionsT& options, float tolerance, Build build) {
  OpTester ours(type, options), theirs(type, options);
  build(&ours);
  build(&theirs);
  theirs.Kernel("xnnpack");
  const Status a = ours.Run(), b = theirs.Run();
  ASSERT_TRUE(a.ok()) << a.message();
  ASSERT_TRUE(b.ok()) << b.message();
  EXPECT_FALSE(theirs.prepared().exact);
  EXPECT_TRUE(theirs.prepared().whole);
  EXPECT_EQ(theirs.prepared().macs, ours.prepared().macs);
  const auto x = ours.Out<float>(0), y = theirs.Out<float>(0);
  ASSERT_EQ(x.size(), y.size());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << i;
}

class XnnpackTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasXnnpack(OpType::kConv2D)) GTEST_SKIP() << "built with WHIT_XNNPACK=off";
  }
};

TEST_F(XnnpackTest, ConvolutionsAgree) {
  CaseRandom r(1);
  for (int i = 0; i < 60; ++i) {
    ConvCase c;
    c.depthwise = i % 2 == 1;
    c.batch = r.In(1, 2), c.h = r.In(3, 9), c.w = r.In(3, 9);
    c.kh = r.In(1, 3), c.kw = r.In(1, 3);
    c.stride_h = r.In(1, 2), c.stride_w = r.In(1, 2), c.dil_h = r.In(1, 2), c.dil_w = r.In(1, 2);
    c.top = r.In(1, 2), c.bottom = r.In(1, 2), c.left = r.In(1, 2), c.right = r.In(1, 2);
    c.groups = c.depthwise || r.Chance(2) ? 1 : 2;
    c.cin = c.groups * r.In(1, 20), c.cout = c.groups * r.In(1, 20);
    if (c.depthwise) c.cout = c.cin * r.In(1, 2);
    SCOPED_TRACE(c.ToString());
    const auto x = r.Reals(c.x_shape().elements(), -1, 1);
    const auto bias = r.Reals(c.cout, -1, 1);
    const PackedArrays packed = c.Pack(r.Reals(c.w_shape().elements(), -1, 1));
    fbs::ConvOptionsT options = c.Options();
    options.weights = 0, options.bias = r.Chance(3) ? -1 : 0;
    options.lo = 0;
    Compare(c.depthwise ? OpType::kDepthwiseConv2D : OpType::kConv2D, options, 1e-4f,
            [&](OpTester* t) {
              t->Input(Plain<float>(c.x_shape(), x));
              t->Output(DType::kFloat32, c.y_shape());
              t->Weights(packed.View());
              t->Blob(bias);
            });
  }
}

TEST_F(XnnpackTest, FullyConnectedAgrees) {
  CaseRandom r(2);
  fbs::FullyConnectedOptionsT options;
  options.weights = 0, options.bias = 0, options.hi = 6;
  PackedArrays packed = PackPanel16F32(r.Reals(40 * 70, -1, 1), 40, 1, 1, 70);
  packed.shape = {40, 70};
  const auto x = r.Reals(6 * 70, -1, 1), bias = r.Reals(40, -1, 1);
  Compare(OpType::kFullyConnected, options, 1e-4f, [&](OpTester* t) {
    t->Input(Plain<float>({2, 3, 70}, x));
    t->Output(DType::kFloat32, {2, 3, 40});
    t->Weights(packed.View());
    t->Blob(bias);
  });
}

TEST_F(XnnpackTest, ElementwiseAndPoolingAgree) {
  CaseRandom r(3);
  const auto a = r.Reals(2 * 6 * 5 * 7, -4, 4), b = r.Reals(7, -4, 4);
  for (OpType type : {OpType::kAdd, OpType::kSub, OpType::kMul}) {
    Compare(type, fbs::BinaryOptionsT{}, 1e-5f, [&](OpTester* t) {
      t->Input(Plain<float>({2, 6, 5, 7}, a));
      t->Input(Plain<float>({7}, b));
      t->Output(DType::kFloat32, {2, 6, 5, 7});
    });
  }
  for (OpType type : {OpType::kLogistic, OpType::kHardSwish}) {
    Compare(type, fbs::UnaryOptionsT{}, 1e-5f, [&](OpTester* t) {
      t->Input(Plain<float>({2, 6, 5, 7}, a));
      t->Output(DType::kFloat32, {2, 6, 5, 7});
    });
  }
  Compare(OpType::kSoftmax, fbs::SoftmaxOptionsT{}, 1e-5f, [&](OpTester* t) {
    t->Input(Plain<float>({60, 7}, a));
    t->Output(DType::kFloat32, {60, 7});
  });
  fbs::PoolOptionsT pool;
  pool.filter_h = 3, pool.filter_w = 2, pool.stride_h = 2, pool.stride_w = 1;
  pool.pad_top = 1, pool.pad_left = 1;
  for (OpType type : {OpType::kAveragePool2D, OpType::kMaxPool2D}) {
    Compare(type, pool, 1e-5f, [&](OpTester* t) {
      t->Input(Plain<float>({2, 6, 5, 7}, a));
      t->Output(DType::kFloat32, {2, 3, 5, 7});
    });
  }
}

TEST_F(XnnpackTest, SaysWhyItDoesNotServe) {
  CaseRandom r(4);
  fbs::FullyConnectedOptionsT options;
  options.weights = 0, options.multiplier = 0;
  PackedArrays packed = PackPanel16I8(r.Integers<int8_t>(64, -127, 127), 8, 1, 1, 8);
  packed.shape = {8, 8};
  OpTester t(OpType::kFullyConnected, options);
  t.Input(Plain<float>({2, 8}, r.Reals(16, -1, 1)));
  t.Output(DType::kFloat32, {2, 8});
  t.Weights(packed.View());
  t.Blob(std::vector<float>(8, 0.1f));
  t.Kernel("xnnpack");
  EXPECT_EQ(t.Run().message(), "int8 weights");
}

}  // namespace
}  // namespace whit
