// FullyConnected, BatchMatMul and the hybrid kinds.
#include <gtest/gtest.h>

#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

struct Dense {
  int64_t rows, k, n;
};

PackedArrays PackDense(const std::vector<int8_t>& w, const Dense& d) {
  PackedArrays a = PackPanel16I8(w, d.n, 1, 1, d.k);
  a.shape = {d.n, d.k};
  a.scale = {1.0f};
  return a;
}

fbs::FullyConnectedOptionsT DenseOptions(int weights, int bias, int multiplier) {
  fbs::FullyConnectedOptionsT t;
  t.weights = weights, t.bias = bias, t.multiplier = multiplier;
  return t;
}

TEST(FullyConnectedTest, Int8EqualsNaiveSums) {
  CaseRandom r(1);
  for (const Dense& d : {Dense{1, 1, 1},
                         {1, 1280, 100},
                         {3, 7, 5},
                         {10, 33, 24},
                         {70, 64, 17},
                         {2, 250, 16},
                         {1, 9, 8}}) {
    for (int32_t zw : {0, 11}) {
      SCOPED_TRACE(std::to_string(d.rows) + " x " + std::to_string(d.k) + " x " +
                   std::to_string(d.n));
      const auto x = r.Integers<int8_t>(d.rows * d.k, -128, 127);
      const auto w = r.Integers<int8_t>(d.n * d.k, -128, 127);
      const auto bias = r.Integers<int32_t>(d.n, -20000, 20000);
      const auto m = r.Reals(d.n, 1e-4f, 1e-3f);
      const int32_t zx = static_cast<int32_t>(r.In(-128, 127));
      PackedArrays packed = PackDense(w, d);
      packed.zero_point = zw;
      std::vector<int32_t> folded;
      std::vector<int8_t> want;
      for (size_t n = 0; n < bias.size(); ++n) {
        folded.push_back(FoldBias(bias[n], packed.sums[n], d.k, zx, zw));
      }
      for (int64_t row = 0; row < d.rows; ++row) {
        for (int64_t n = 0; n < d.n; ++n) {
          int64_t acc = bias[static_cast<size_t>(n)];
          for (int64_t k = 0; k < d.k; ++k) {
            acc += (x[static_cast<size_t>(row * d.k + k)] - zx) *
                   (w[static_cast<size_t>(n * d.k + k)] - zw);
          }
          want.push_back(static_cast<int8_t>(
              RequantizeOracle(acc, false, m[static_cast<size_t>(n)], 3, -128, 127)));
        }
      }
      OpTester t(OpType::kFullyConnected, DenseOptions(0, 0, 1));
      t.Input(Quantized<int8_t>({1, d.rows, d.k}, x, 0.5f, zx));
      t.Output(DType::kInt8, {1, d.rows, d.n}, 0.25f, 3);
      t.Weights(packed.View());
      t.Blob(folded);
      t.Blob(m);
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<int8_t>(0), want);
    }
  }
}

TEST(FullyConnectedTest, AnyMultiplierAndBiasInTheFileIsDefined) {
  // Blobs lie in the mapping and may change after every check: any bits must give some bytes.
  const Dense d{2, 5, 4};
  const std::vector<float> wild = {NAN, INFINITY, -INFINITY, -3e38f};
  const std::vector<int32_t> bias = {INT32_MIN, INT32_MAX, 0, -1};
  OpTester t(OpType::kFullyConnected, DenseOptions(0, 0, 1));
  t.Input(Quantized<int8_t>({2, 5}, std::vector<int8_t>(10, -128), 0.5f, 127));
  t.Output(DType::kInt8, {2, 4}, 0.25f, 3);
  const PackedArrays packed = PackDense(std::vector<int8_t>(20, -128), d);
  t.Weights(packed.View());
  t.Blob(bias);
  t.Blob(wild);
  ASSERT_TRUE(t.Run().ok());
  // NaN clamps to the lowest value; the accumulators are positive.
  EXPECT_EQ(t.Out<int8_t>(0)[0], -128);
}

TEST(FullyConnectedTest, RefusesWhatDoesNotFit) {
  const Dense d{2, 6, 4};
  const PackedArrays packed = PackDense(std::vector<int8_t>(24, 1), d);
  const auto run = [&](Shape in, Shape out, int weights, size_t multipliers, PackedWeights w) {
    OpTester t(OpType::kFullyConnected, DenseOptions(weights, 0, 1));
    t.Input(Quantized<int8_t>(in, std::vector<int8_t>(static_cast<size_t>(in.elements())), 1, 0));
    t.Output(DType::kInt8, out, 1, 0);
    t.Weights(w);
    t.Blob(std::vector<int32_t>(4));
    t.Blob(std::vector<float>(multipliers, 1.0f));
    return t.Run();
  };
  EXPECT_TRUE(run({2, 6}, {2, 4}, 0, 4, packed.View()).ok());
  EXPECT_FALSE(run({2, 7}, {2, 4}, 0, 4, packed.View()).ok());
  EXPECT_FALSE(run({2, 6}, {2, 5}, 0, 4, packed.View()).ok());
  EXPECT_FALSE(run({2, 6}, {2, 4}, 1, 4, packed.View()).ok());
  EXPECT_FALSE(run({2, 6}, {2, 4}, -1, 4, packed.View()).ok());
  EXPECT_FALSE(run({2, 6}, {2, 4}, 0, 3, packed.View()).ok());
  PackedWeights cut = packed.View();
  cut.data_bytes -= 64;
  EXPECT_FALSE(run({2, 6}, {2, 4}, 0, 4, cut).ok());
  PackedWeights huge = packed.View();
  huge.run_length = 100000;
  EXPECT_FALSE(run({2, 6}, {2, 4}, 0, 4, huge).ok());
}

/// docs/arithmetic.md, 3.1, value by value.
struct HybridOracle {
  float inverse = 1, scale = 1;
  int32_t zero_point = 0;
  explicit HybridOracle(const float* x, int64_t count) {
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < count; ++i) lo = std::min(lo, x[i]), hi = std::max(hi, x[i]);
    if (lo == hi) return;
    inverse = 255.0f / (hi - lo);
    scale = (hi - lo) / 255.0f;
    const float a = lo * inverse, b = hi * inverse;
    const float z = (-128.0f + a) + (127.0f + b) > 0 ? -128.0f - a : 127.0f - b;
    zero_point = static_cast<int32_t>(std::nearbyint(std::clamp(z, -128.0f, 127.0f)));
  }
  int32_t Code(float x) const {  // q - zero_point
    const float z = static_cast<float>(zero_point);
    return static_cast<int32_t>(std::nearbyint(std::clamp(x * inverse, -128.0f - z, 127.0f - z)));
  }
};

TEST(HybridTest, FullyConnectedQuantizesEveryRow) {
  CaseRandom r(2);
  const Dense d{5, 70, 20};
  const auto x = r.Reals(d.rows * d.k, -3, 5);
  const auto w = r.Integers<int8_t>(d.n * d.k, -127, 127);
  const auto bias = r.Reals(d.n, -1, 1);
  const auto scale = r.Reals(d.n, 0.001f, 0.01f);
  std::vector<float> want;
  for (int64_t row = 0; row < d.rows; ++row) {
    const HybridOracle q(x.data() + row * d.k, d.k);
    for (int64_t n = 0; n < d.n; ++n) {
      int32_t acc = 0;
      for (int64_t k = 0; k < d.k; ++k) {
        acc += q.Code(x[static_cast<size_t>(row * d.k + k)]) * w[static_cast<size_t>(n * d.k + k)];
      }
      const float s = q.scale * scale[static_cast<size_t>(n)];
      want.push_back(std::max(static_cast<float>(acc) * s + bias[static_cast<size_t>(n)], 0.0f));
    }
  }
  fbs::FullyConnectedOptionsT options = DenseOptions(0, 0, 1);
  options.lo = 0;
  OpTester t(OpType::kFullyConnected, options);
  t.Input(Plain<float>({d.rows, d.k}, x));
  t.Output(DType::kFloat32, {d.rows, d.n});
  const PackedArrays packed = PackDense(w, d);
  t.Weights(packed.View());
  t.Blob(bias);
  t.Blob(scale);
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<float>(0), want);
}

TEST(HybridTest, ConvolutionsQuantizeEveryImage) {
  CaseRandom r(3);
  for (int form = 0; form < 3; ++form) {
    ConvCase c;
    c.batch = 2, c.h = 7, c.w = 6, c.cin = 5, c.cout = 19, c.kh = c.kw = 3;
    c.top = c.left = 1;
    c.depthwise = form == 1, c.transposed = form == 2;
    if (c.depthwise) c.cout = 10;
    SCOPED_TRACE(c.ToString());
    const auto x = r.Reals(c.x_shape().elements(), -1, 4);
    const auto w = r.Integers<int8_t>(c.w_shape().elements(), -127, 127);
    const auto scale = r.Reals(c.cout, 0.001f, 0.01f);
    const int64_t image = c.h * c.w * c.cin, out_image = c.out_h() * c.out_w() * c.cout;
    const HybridOracle q[2] = {HybridOracle(x.data(), image),
                               HybridOracle(x.data() + image, image)};
    std::vector<int32_t> acc(static_cast<size_t>(c.y_shape().elements()));
    c.ForEachProduct([&](int64_t out, int64_t, int64_t in, int64_t weight) {
      if (in < 0) return;
      acc[static_cast<size_t>(out)] +=
          q[in / image].Code(x[static_cast<size_t>(in)]) * w[static_cast<size_t>(weight)];
    });
    std::vector<float> want;
    for (size_t i = 0; i < acc.size(); ++i) {
      const float s =
          q[static_cast<int64_t>(i) / out_image].scale * scale[i % static_cast<size_t>(c.cout)];
      want.push_back(static_cast<float>(acc[i]) * s + 0.0f);
    }
    fbs::ConvOptionsT options = c.Options();
    options.weights = 0, options.multiplier = 0;
    OpTester t(c.depthwise    ? OpType::kDepthwiseConv2D
               : c.transposed ? OpType::kTransposeConv2D
                              : OpType::kConv2D,
               options);
    t.Input(Plain<float>(c.x_shape(), x));
    t.Output(DType::kFloat32, c.y_shape());
    const PackedArrays packed = c.Pack(w);
    t.Weights(packed.View());
    t.Blob(scale);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<float>(0), want);
  }
}

TEST(HybridTest, StrangeFloatsAreDefined) {
  const Dense d{3, 4, 2};
  OpTester t(OpType::kFullyConnected, DenseOptions(0, -1, 0));
  t.Input(Plain<float>({3, 4}, {NAN, 1, 2, 3, INFINITY, 0, 0, 1, 1e-44f, 0, 0, -INFINITY}));
  t.Output(DType::kFloat32, {3, 2});
  const PackedArrays packed = PackDense(std::vector<int8_t>(8, -128), d);
  t.Weights(packed.View());
  t.Blob(std::vector<float>{1, 1});
  EXPECT_TRUE(t.Run().ok());
}

struct MatMulCase {
  Shape x, y, out;
  bool adj_x, adj_y;
};
const MatMulCase kMatMuls[] = {
    {{3, 5}, {5, 20}, {3, 20}, false, false},
    {{5, 3}, {20, 5}, {3, 20}, true, true},
    {{2, 17, 33}, {2, 33, 9}, {2, 17, 9}, false, false},
    {{2, 1, 4, 6}, {3, 8, 6}, {2, 3, 4, 8}, false, true},
    {{4, 6}, {2, 3, 6, 16}, {2, 3, 4, 16}, false, false},
    {{2, 6, 4}, {6, 1}, {2, 4, 1}, true, false},
};

/// Indices of x and y of every product of output `at` of a case.
template <typename F>
void ForEachProduct(const MatMulCase& c, int64_t at, F f) {
  const int64_t n = at % c.out.back(), m = at / c.out.back() % c.out[c.out.rank() - 2];
  int64_t matrix = at / c.out.back() / c.out[c.out.rank() - 2];
  int64_t x_matrix = 0, y_matrix = 0, x_step = 1, y_step = 1;
  for (int i = 3; i <= c.out.rank(); ++i) {
    const int64_t index = matrix % c.out[c.out.rank() - i];
    matrix /= c.out[c.out.rank() - i];
    const int xa = c.x.rank() - i, ya = c.y.rank() - i;
    if (xa >= 0) x_matrix += (c.x[xa] == 1 ? 0 : index) * x_step, x_step *= c.x[xa];
    if (ya >= 0) y_matrix += (c.y[ya] == 1 ? 0 : index) * y_step, y_step *= c.y[ya];
  }
  const int64_t xr = c.x[c.x.rank() - 2], xc = c.x.back(), yr = c.y[c.y.rank() - 2],
                yc = c.y.back();
  const int64_t k_count = c.adj_x ? xr : xc;
  for (int64_t k = 0; k < k_count; ++k) {
    f(static_cast<size_t>(x_matrix * xr * xc + (c.adj_x ? k * xc + m : m * xc + k)),
      static_cast<size_t>(y_matrix * yr * yc + (c.adj_y ? n * yc + k : k * yc + n)));
  }
}

fbs::BatchMatMulOptionsT OptionsFor(const MatMulCase& c) {
  fbs::BatchMatMulOptionsT t;
  t.adj_x = c.adj_x, t.adj_y = c.adj_y;
  return t;
}

TEST(BatchMatMulTest, IntegersEqualNaiveSums) {
  CaseRandom r(4);
  for (const MatMulCase& c : kMatMuls) {
    SCOPED_TRACE(c.x.ToString() + c.y.ToString());
    for (bool extreme : {false, true}) {
      const auto x = r.Integers<int8_t>(c.x.elements(), -128, 127, extreme);
      const auto y = r.Integers<int8_t>(c.y.elements(), -128, 127, extreme);
      const int32_t zx = -7, zy = 100, zo = -4;
      const float m = static_cast<float>(double{0.02f} * double{0.01f} / double{0.25f});
      std::vector<int8_t> want;
      for (int64_t i = 0; i < c.out.elements(); ++i) {
        int64_t acc = 0;
        ForEachProduct(c, i, [&](size_t a, size_t b) { acc += (x[a] - zx) * (y[b] - zy); });
        want.push_back(static_cast<int8_t>(RequantizeOracle(acc, false, m, zo, -128, 127)));
      }
      OpTester t(OpType::kBatchMatMul, OptionsFor(c));
      t.Input(Quantized<int8_t>(c.x, x, 0.02f, zx));
      t.Input(Quantized<int8_t>(c.y, y, 0.01f, zy));
      t.Output(DType::kInt8, c.out, 0.25f, zo);
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<int8_t>(0), want);
    }
  }
}

TEST(BatchMatMulTest, Int16EqualsNaiveSums) {
  CaseRandom r(5);
  for (const MatMulCase& c : kMatMuls) {
    const auto x = r.Integers<int16_t>(c.x.elements(), -32768, 32767, true);
    const auto y = r.Integers<int16_t>(c.y.elements(), -32768, 32767, r.Chance(2));
    const float m = static_cast<float>(double{1e-4f} * double{1e-4f} / double{2e-3f});
    std::vector<int16_t> want;
    for (int64_t i = 0; i < c.out.elements(); ++i) {
      int64_t acc = 0;
      ForEachProduct(c, i, [&](size_t a, size_t b) { acc += int64_t{x[a]} * y[b]; });
      want.push_back(static_cast<int16_t>(RequantizeOracle(acc, true, m, 0, -32768, 32767)));
    }
    OpTester t(OpType::kBatchMatMul, OptionsFor(c));
    t.Input(Quantized<int16_t>(c.x, x, 1e-4f, 0));
    t.Input(Quantized<int16_t>(c.y, y, 1e-4f, 0));
    t.Output(DType::kInt16, c.out, 2e-3f, 0);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<int16_t>(0), want);
  }
}

TEST(BatchMatMulTest, FloatIsCloseToDouble) {
  CaseRandom r(6);
  for (const MatMulCase& c : kMatMuls) {
    const auto x = r.Reals(c.x.elements(), -1, 1);
    const auto y = r.Reals(c.y.elements(), -1, 1);
    OpTester t(OpType::kBatchMatMul, OptionsFor(c));
    t.Input(Plain<float>(c.x, x));
    t.Input(Plain<float>(c.y, y));
    t.Output(DType::kFloat32, c.out);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    const auto got = t.Out<float>(0);
    for (int64_t i = 0; i < c.out.elements(); ++i) {
      double acc = 0;
      ForEachProduct(c, i, [&](size_t a, size_t b) { acc += double{x[a]} * double{y[b]}; });
      ASSERT_NEAR(double{got[static_cast<size_t>(i)]}, acc, 5e-6);
    }
  }
}

TEST(BatchMatMulTest, RefusesShapesThatDoNotMatch) {
  const auto run = [](Shape x, Shape y, Shape out) {
    OpTester t(OpType::kBatchMatMul, fbs::BatchMatMulOptionsT{});
    t.Input(Plain<float>(x, std::vector<float>(static_cast<size_t>(x.elements()))));
    t.Input(Plain<float>(y, std::vector<float>(static_cast<size_t>(y.elements()))));
    t.Output(DType::kFloat32, out);
    return t.Run();
  };
  EXPECT_TRUE(run({2, 3}, {3, 4}, {2, 4}).ok());
  EXPECT_FALSE(run({2, 3}, {4, 4}, {2, 4}).ok());
  EXPECT_FALSE(run({2, 3}, {3, 4}, {4, 2}).ok());
  EXPECT_FALSE(run({3}, {3, 4}, {4}).ok());
  EXPECT_FALSE(run({2, 2, 3}, {3, 3, 4}, {2, 2, 4}).ok());
}

}  // namespace
}  // namespace whit
