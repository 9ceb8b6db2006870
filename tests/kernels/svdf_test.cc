// Svdf against sums over logical weights (docs/arithmetic.md, Recurrent): integers to the bit,
// floats within 1e-5.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>

#include "kernels/pack.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

struct Sizes {
  int64_t batch, inputs, units, rank, memory;
  int64_t filters() const { return units * rank; }
};
const Sizes kSizes[] = {
    {1, 9, 5, 1, 6}, {3, 17, 7, 2, 4}, {2, 96, 64, 1, 8}, {1, 1, 1, 1, 1}, {1, 4, 20, 3, 1}};

template <typename T>
std::vector<T> RandomIntegers(std::mt19937* rng, int64_t n, int lo, int hi) {
  std::vector<T> v;
  for (int64_t i = 0; i < n; ++i)
    v.push_back(static_cast<T>(std::uniform_int_distribution<int>(lo, hi)(*rng)));
  return v;
}

int64_t Stored(double acc, float m, int64_t z, int64_t lo, int64_t hi) {
  const auto v = static_cast<float>(acc * static_cast<double>(m));
  return z +
         std::lrint(std::min(std::max(v, static_cast<float>(lo - z)), static_cast<float>(hi - z)));
}

/// Data of one integer case; State is int16_t or int8_t.
template <typename State>
struct IntegerCase {
  static constexpr int kZx = -9, kZy = -100;
  static constexpr float kFeature = 0.021f, kTime = sizeof(State) == 2 ? 1e-7f : 2e-5f;
  Sizes s;
  std::vector<int8_t> x, w;
  std::vector<int16_t> t;
  std::vector<int32_t> bias, feature_bias;
  std::vector<State> state;
  PackedArrays packed;

  IntegerCase(const Sizes& sizes, uint32_t seed) : s(sizes) {
    std::mt19937 rng(seed);
    x = RandomIntegers<int8_t>(&rng, s.batch * s.inputs, -128, 127);
    w = RandomIntegers<int8_t>(&rng, s.filters() * s.inputs, -128, 127);
    t = RandomIntegers<int16_t>(&rng, s.filters() * s.memory, -32768, 32767);
    bias = RandomIntegers<int32_t>(&rng, s.units, -2000000, 2000000);
    state =
        RandomIntegers<State>(&rng, s.batch * s.filters() * s.memory,
                              sizeof(State) == 2 ? -32768 : -128, sizeof(State) == 2 ? 32767 : 127);
    packed = PackPanel16I8(w, s.filters(), 1, 1, s.inputs);
    for (int64_t f = 0; f < s.filters(); ++f) {
      int32_t sum = 0;
      for (int64_t j = 0; j < s.inputs; ++j) sum += w[static_cast<size_t>(f * s.inputs + j)];
      feature_bias.push_back(-kZx * sum);
    }
  }

  OpTester Tester(const std::function<void(fbs::SvdfOptionsT*)>& change = nullptr,
                  int32_t state_zero = 0) {
    fbs::SvdfOptionsT o;
    o.rank = static_cast<uint32_t>(s.rank);
    o.memory = static_cast<uint32_t>(s.memory);
    o.feature_weights = 0, o.feature_bias = 0, o.time_weights = 1, o.bias = 2;
    o.feature_multiplier = kFeature, o.time_multiplier = kTime;
    o.lo = -90;
    if (change) change(&o);
    OpTester tester(OpType::kSvdf, std::move(o));
    tester.Weights(packed.View());
    tester.Blob(feature_bias);
    tester.Blob(t);
    tester.Blob(bias);
    tester.Input(Quantized<int8_t>({s.batch, s.inputs}, x, 0.04f, kZx));
    tester.State(Quantized<State>({s.batch, s.filters() * s.memory}, state, 0.002f, state_zero));
    tester.Output(DType::kInt8, {s.batch, s.units}, 0.05f, kZy);
    return tester;
  }

  /// y; `state` becomes the new state.
  std::vector<int8_t> Expect() {
    std::vector<int8_t> y;
    const int64_t lo = std::numeric_limits<State>::min(), hi = std::numeric_limits<State>::max();
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t u = 0; u < s.units; ++u) {
        int64_t sum = bias[static_cast<size_t>(u)];
        for (int64_t f = u * s.rank; f < (u + 1) * s.rank; ++f) {
          int64_t acc = 0;
          for (int64_t j = 0; j < s.inputs; ++j) {
            acc += (x[static_cast<size_t>(b * s.inputs + j)] - kZx) *
                   w[static_cast<size_t>(f * s.inputs + j)];
          }
          const auto line = state.begin() + (b * s.filters() + f) * s.memory;
          std::rotate(line, line + 1, line + s.memory);
          line[s.memory - 1] =
              static_cast<State>(Stored(static_cast<double>(acc), kFeature, 0, lo, hi));
          for (int64_t j = 0; j < s.memory; ++j)
            sum += int64_t{t[static_cast<size_t>(f * s.memory + j)]} * line[j];
        }
        y.push_back(static_cast<int8_t>(Stored(static_cast<double>(sum), kTime, kZy, -90, 127)));
      }
    }
    return y;
  }
};

template <typename State>
void CompareIntegers() {
  for (const Sizes& s : kSizes) {
    SCOPED_TRACE(std::to_string(s.inputs) + " inputs, " + std::to_string(s.units) + " units");
    IntegerCase<State> c(s, 11);
    OpTester tester = c.Tester();
    const Status status = tester.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(tester.Out<int8_t>(0), c.Expect());
    EXPECT_EQ(tester.FinalState<State>(1), c.state);
    EXPECT_TRUE(tester.prepared().exact);
  }
}

TEST(SvdfTest, Int16State) { CompareIntegers<int16_t>(); }
TEST(SvdfTest, Int8State) { CompareIntegers<int8_t>(); }

TEST(SvdfTest, Floats) {
  for (const bool hybrid : {false, true}) {
    for (const Sizes& s : kSizes) {
      SCOPED_TRACE((hybrid ? "int8 weights, " : "float weights, ") + std::to_string(s.inputs) +
                   " inputs");
      std::mt19937 rng(12);
      const auto floats = [&](int64_t n) {
        std::vector<float> v = RandomIntegers<float>(&rng, n, -1000, 1000);
        for (float& f : v) f /= 512;
        return v;
      };
      const auto x = floats(s.batch * s.inputs), t = floats(s.filters() * s.memory),
                 bias = floats(s.units);
      auto state = floats(s.batch * s.filters() * s.memory);
      const auto w8 = RandomIntegers<int8_t>(&rng, s.filters() * s.inputs, -127, 127);
      std::vector<float> w;
      for (int8_t v : w8) w.push_back(0.01f * v);
      PackedArrays packed = hybrid ? PackPanel16I8(w8, s.filters(), 1, 1, s.inputs)
                                   : PackPanel16F32(w, s.filters(), 1, 1, s.inputs);
      packed.scale = {0.01f};
      fbs::SvdfOptionsT o;
      o.rank = static_cast<uint32_t>(s.rank);
      o.memory = static_cast<uint32_t>(s.memory);
      o.feature_weights = 0, o.time_weights = 0, o.bias = 1;
      o.lo = 0;
      OpTester tester(OpType::kSvdf, std::move(o));
      tester.Weights(packed.View());
      tester.Blob(t);
      tester.Blob(bias);
      tester.Input(Plain<float>({s.batch, s.inputs}, x));
      tester.State(Plain<float>({s.batch, s.filters() * s.memory}, state));
      tester.Output(DType::kFloat32, {s.batch, s.units});
      const Status status = tester.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_FALSE(tester.prepared().exact);
      const std::vector<float> got = tester.Out<float>(0);
      for (int64_t b = 0; b < s.batch; ++b) {
        const float* row = &x[static_cast<size_t>(b * s.inputs)];
        float most = 0;
        for (int64_t j = 0; j < s.inputs; ++j) most = std::max(most, std::fabs(row[j]));
        for (int64_t u = 0; u < s.units; ++u) {
          double sum = bias[static_cast<size_t>(u)];
          for (int64_t f = u * s.rank; f < (u + 1) * s.rank; ++f) {
            double acc = 0;
            for (int64_t j = 0; j < s.inputs; ++j) {
              const double q =
                  hybrid ? std::nearbyint(row[j] * (127.0f / most)) * (most / 127.0) : row[j];
              acc += q * static_cast<double>(w[static_cast<size_t>(f * s.inputs + j)]);
            }
            const auto line = state.begin() + (b * s.filters() + f) * s.memory;
            std::rotate(line, line + 1, line + s.memory);
            line[s.memory - 1] = static_cast<float>(acc);
            for (int64_t j = 0; j < s.memory; ++j)
              sum += double{t[static_cast<size_t>(f * s.memory + j)]} * double{line[j]};
          }
          EXPECT_NEAR(got[static_cast<size_t>(b * s.units + u)], std::max(sum, 0.0), 1e-4)
              << b << ", " << u;
        }
      }
    }
  }
}

TEST(SvdfTest, RefusesWhatDoesNotFit) {
  const std::pair<const char*, std::function<void(fbs::SvdfOptionsT*)>> cases[] = {
      {"rank 0", [](auto* o) { o->rank = 0; }},
      {"another rank", [](auto* o) { o->rank = 2; }},
      {"memory 0", [](auto* o) { o->memory = 0; }},
      {"huge memory", [](auto* o) { o->memory = 0xFFFFFFFF; }},
      {"huge rank and memory", [](auto* o) { o->rank = o->memory = 0xFFFFFFFF; }},
      {"no weights", [](auto* o) { o->feature_weights = -1; }},
      {"no time weights", [](auto* o) { o->time_weights = -1; }},
      {"bias of another size", [](auto* o) { o->bias = 1; }},
      {"feature bias that is none", [](auto* o) { o->feature_bias = 17; }},
      {"multiplier NaN", [](auto* o) { o->time_multiplier = NAN; }},
      {"multiplier 0", [](auto* o) { o->feature_multiplier = 0; }},
      {"empty clamp", [](auto* o) { o->lo = 10, o->hi = 5; }},
  };
  for (const auto& [what, change] : cases) {
    EXPECT_FALSE(IntegerCase<int16_t>(kSizes[0], 1).Tester(change).Run().ok()) << what;
  }
  EXPECT_FALSE(IntegerCase<int16_t>(kSizes[0], 1).Tester(nullptr, 5).Run().ok())
      << "state zero point";
  EXPECT_TRUE(IntegerCase<int16_t>(kSizes[0], 1).Tester().Run().ok());
}

}  // namespace
}  // namespace whit
