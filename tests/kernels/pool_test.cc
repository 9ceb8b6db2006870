// AveragePool2D and MaxPool2D against docs/arithmetic.md, pixel by pixel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

struct PoolCase {
  Shape x;
  uint32_t fh, fw, sh, sw, top, bottom, left, right;
};

const std::vector<PoolCase> kPoolCases = {
    {{1, 4, 4, 3}, 2, 2, 2, 2, 0, 0, 0, 0},  {{2, 5, 6, 1}, 3, 3, 1, 1, 1, 1, 1, 1},
    {{1, 7, 7, 70}, 7, 7, 1, 1, 0, 0, 0, 0}, {{1, 5, 5, 130}, 3, 2, 2, 1, 1, 0, 0, 1},
    {{3, 1, 9, 5}, 1, 4, 1, 3, 0, 0, 3, 2},  {{1, 3, 3, 64}, 5, 5, 1, 1, 2, 2, 2, 2},
    {{0, 4, 4, 3}, 2, 2, 2, 2, 0, 0, 0, 0},  {{1, 6, 5, 8}, 1, 1, 2, 3, 0, 0, 0, 0}};

fbs::PoolOptionsT OptionsOfCase(const PoolCase& c) {
  fbs::PoolOptionsT o;
  o.filter_h = c.fh, o.filter_w = c.fw, o.stride_h = c.sh, o.stride_w = c.sw;
  o.pad_top = c.top, o.pad_bottom = c.bottom, o.pad_left = c.left, o.pad_right = c.right;
  return o;
}

Shape OutShape(const PoolCase& c) {
  return {c.x[0], (c.x[1] + c.top + c.bottom - c.fh) / c.sh + 1,
          (c.x[2] + c.left + c.right - c.fw) / c.sw + 1, c.x[3]};
}

// The values of the window of each output element, in row-major order.
template <typename T>
std::vector<std::vector<T>> Windows(const PoolCase& c, const std::vector<T>& x) {
  std::vector<std::vector<T>> windows;
  ForEachIndex(OutShape(c), [&](const Index& at) {
    std::vector<T> window;
    for (int64_t ky = 0; ky < c.fh; ++ky) {
      for (int64_t kx = 0; kx < c.fw; ++kx) {
        const int64_t y = at[1] * c.sh - c.top + ky, xx = at[2] * c.sw - c.left + kx;
        if (y < 0 || y >= c.x[1] || xx < 0 || xx >= c.x[2]) continue;
        window.push_back(x[Linear(c.x, {at[0], y, xx, at[3]})]);
      }
    }
    windows.push_back(window);
  });
  return windows;
}

template <typename T>
int64_t Rounded(int64_t acc, double s_in, double s_out, int64_t count, int32_t zy, int64_t lo,
                int64_t hi) {
  const float m = static_cast<float>(s_in / s_out / static_cast<double>(count));
  const float scaled = sizeof(T) == 1
                           ? static_cast<float>(acc) * m
                           : static_cast<float>(static_cast<double>(acc) * static_cast<double>(m));
  const float clamped =
      std::min(std::max(scaled, static_cast<float>(lo - zy)), static_cast<float>(hi - zy));
  return zy + static_cast<int64_t>(std::nearbyintf(clamped));
}

template <typename T>
void TestQuantized(OpType op, float s_in, int32_t zx, float s_out, int32_t zy, bool clamp) {
  Random random(7);
  const int64_t type_lo = std::numeric_limits<T>::min(), type_hi = std::numeric_limits<T>::max();
  const int64_t lo = clamp ? -20 : type_lo, hi = clamp ? 33 : type_hi;
  for (const PoolCase& c : kPoolCases) {
    SCOPED_TRACE(c.x.ToString());
    const auto x = random.Values<T>(c.x.elements(), type_lo, type_hi);
    fbs::PoolOptionsT options = OptionsOfCase(c);
    if (clamp) options.lo = -20, options.hi = 33;
    std::vector<T> expected;
    for (const auto& window : Windows<T>(c, x)) {
      int64_t acc = 0;
      if (op == OpType::kAveragePool2D) {
        for (T v : window) acc += v - zx;
      } else {
        acc = *std::max_element(window.begin(), window.end()) - zx;
      }
      const auto count = op == OpType::kAveragePool2D ? static_cast<int64_t>(window.size()) : 1;
      expected.push_back(static_cast<T>(Rounded<T>(acc, s_in, s_out, count, zy, lo, hi)));
    }
    OpTester t(op, options);
    t.Input(Quantized<T>(c.x, x, s_in, zx)).Output(DTypeOf<T>(), OutShape(c), s_out, zy);
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(t.Out<T>(0), expected);
  }
}

TEST(AveragePool2D, QuantizedEqualAndUnequal) {
  TestQuantized<int8_t>(OpType::kAveragePool2D, 0.1f, 3, 0.1f, 3, false);
  TestQuantized<int8_t>(OpType::kAveragePool2D, 0.1f, -128, 0.07f, 11, false);
  TestQuantized<int8_t>(OpType::kAveragePool2D, 0.1f, 5, 0.3f, -7, true);
  TestQuantized<int16_t>(OpType::kAveragePool2D, 0.01f, 0, 0.013f, 0, false);
}

TEST(MaxPool2D, QuantizedEqualAndUnequal) {
  TestQuantized<int8_t>(OpType::kMaxPool2D, 0.1f, 3, 0.1f, 3, false);
  TestQuantized<int8_t>(OpType::kMaxPool2D, 0.1f, 3, 0.17f, -3, true);
  TestQuantized<int16_t>(OpType::kMaxPool2D, 0.01f, 0, 0.01f, 0, false);
}

TEST(MaxPool2D, PlainUint8IsRaw) {
  fbs::PoolOptionsT options;
  options.filter_w = 2;
  OpTester t(OpType::kMaxPool2D, options);
  t.Input(Plain<uint8_t>({1, 1, 3, 1}, {0, 255, 7})).Output(DType::kUint8, {1, 1, 2, 1});
  ASSERT_TRUE(t.Run().ok());
  EXPECT_EQ(t.Out<uint8_t>(0), (std::vector<uint8_t>{255, 255}));
}

TEST(Pool2D, Float) {
  Random random(8);
  for (const PoolCase& c : kPoolCases) {
    const auto x = random.Floats(c.x.elements());
    std::vector<float> mean, max;
    for (const auto& window : Windows<float>(c, x)) {
      float sum = 0;
      for (float v : window) sum += v;
      mean.push_back(std::min(sum / static_cast<float>(window.size()), 0.25f));
      max.push_back(std::min(*std::max_element(window.begin(), window.end()), 0.25f));
    }
    fbs::PoolOptionsT options = OptionsOfCase(c);
    options.hi = 0.25f;
    for (const OpType op : {OpType::kAveragePool2D, OpType::kMaxPool2D}) {
      OpTester t(op, options);
      t.Input(Plain<float>(c.x, x)).Output(DType::kFloat32, OutShape(c));
      ASSERT_TRUE(t.Run().ok());
      EXPECT_EQ(t.Out<float>(0), op == OpType::kMaxPool2D ? max : mean);
    }
  }
}

TEST(Pool2D, RefusesBadGeometry) {
  const auto run = [](PoolCase c, Shape out) {
    OpTester t(OpType::kMaxPool2D, OptionsOfCase(c));
    t.Input(Plain<float>(c.x, Counting<float>(c.x))).Output(DType::kFloat32, out);
    return t.Run();
  };
  const PoolCase good = {{1, 3, 3, 1}, 2, 2, 1, 1, 0, 0, 0, 0};
  EXPECT_TRUE(run(good, {1, 2, 2, 1}).ok());
  EXPECT_FALSE(run(good, {1, 3, 2, 1}).ok());
  PoolCase bad = good;
  bad.top = 2;
  EXPECT_FALSE(run(bad, {1, 4, 2, 1}).ok());
  bad = good, bad.sh = 0;
  EXPECT_FALSE(run(bad, {1, 2, 2, 1}).ok());
  bad = good, bad.fh = 4;
  EXPECT_FALSE(run(bad, {1, 1, 2, 1}).ok());
  bad = good, bad.fw = 4294967295u, bad.right = 4294967294u;
  EXPECT_TRUE(run(bad, {1, 2, 3, 1}).ok());
}

}  // namespace
}  // namespace whit
