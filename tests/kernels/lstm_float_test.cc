// Lstm in floats against the formulas in double (docs/arithmetic.md, Recurrent), with float and
// with int8 weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "kernels/pack.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

using Doubles = std::vector<double>;

struct LstmSpec {
  const char* name;
  bool hybrid = false, asymmetric = false, cifg = false, peephole = false, norm = false,
       projection = false;
  float clip = 0;
  int64_t batch = 2, steps = 3, inputs = 6, cells = 19, outputs = 19;
};
const LstmSpec kSpecs[] = {
    {.name = "plain"},
    {.name = "cifg, clips", .cifg = true, .clip = 0.25f},
    {.name = "peephole", .peephole = true},
    {.name = "norm", .norm = true},
    {.name = "all", .peephole = true, .norm = true, .projection = true, .clip = 0.5f, .outputs = 5},
    {.name = "int8 weights", .hybrid = true},
    {.name = "int8 weights, asymmetric", .hybrid = true, .asymmetric = true},
    {.name = "int8 weights, all",
     .hybrid = true,
     .peephole = true,
     .norm = true,
     .projection = true,
     .outputs = 5},
};

struct Gate {
  std::vector<float> w, r, bias, peephole, norm;
};

class LstmModel {
 public:
  explicit LstmModel(const LstmSpec& s) : s_(s) {
    for (size_t g = s.cifg ? 1 : 0; g < 4; ++g) {
      gates_[g].w = Weights(s.cells * s.inputs);
      gates_[g].r = Weights(s.cells * s.outputs);
      gates_[g].bias = Floats(s.cells);
      if (s.peephole && g != 2) gates_[g].peephole = Floats(s.cells);
      if (s.norm) gates_[g].norm = Floats(s.cells);
    }
    p_ = Weights(s.outputs * s.cells);
    bias_p_ = Floats(s.outputs);
    x_ = Floats(s.batch * s.steps * s.inputs);
    h_ = Floats(s.batch * s.outputs);
    c_ = Floats(s.batch * s.cells);
  }

  OpTester Tester() {
    fbs::LstmOptionsT o;
    o.asymmetric = s_.asymmetric;
    o.cell_clip = o.projection_clip = s_.clip;
    int blobs = 0, weights = 0;
    for (const Gate& g : gates_) {
      o.gates.push_back(std::make_unique<fbs::LstmGateT>());
      if (g.w.empty()) continue;
      fbs::LstmGateT& gate = *o.gates.back();
      gate.input_weights = weights++;
      gate.recurrent_weights = weights++;
      (s_.norm ? gate.norm_bias : gate.input_bias) = blobs++;
      if (!g.peephole.empty()) gate.peephole = blobs++;
      if (!g.norm.empty()) gate.norm = blobs++;
    }
    if (s_.projection) o.projection_weights = weights, o.projection_bias = blobs;
    OpTester t(OpType::kLstm, std::move(o));
    t.Input(Plain<float>({s_.batch, s_.steps, s_.inputs}, x_));
    t.State(Plain<float>({s_.batch, s_.outputs}, h_));
    t.State(Plain<float>({s_.batch, s_.cells}, c_));
    t.Output(DType::kFloat32, {s_.batch, s_.steps, s_.outputs});
    for (const Gate& g : gates_) {
      if (g.w.empty()) continue;
      AddWeights(&t, g.w, s_.cells, s_.inputs);
      AddWeights(&t, g.r, s_.cells, s_.outputs);
      t.Blob(g.bias);
      if (!g.peephole.empty()) t.Blob(g.peephole);
      if (!g.norm.empty()) t.Blob(g.norm);
    }
    if (s_.projection) AddWeights(&t, p_, s_.outputs, s_.cells);
    if (s_.projection) t.Blob(bias_p_);
    return t;
  }

  Doubles Expect() const {
    Doubles y;
    for (int64_t b = 0; b < s_.batch; ++b) {
      Doubles h(h_.begin() + b * s_.outputs, h_.begin() + (b + 1) * s_.outputs);
      Doubles c(c_.begin() + b * s_.cells, c_.begin() + (b + 1) * s_.cells);
      for (int64_t t = 0; t < s_.steps; ++t) {
        const auto x = x_.begin() + (b * s_.steps + t) * s_.inputs;
        Step(Doubles(x, x + s_.inputs), &h, &c);
        y.insert(y.end(), h.begin(), h.end());
      }
    }
    return y;
  }

 private:
  static constexpr float kScale = 0.01f;

  std::vector<float> Floats(int64_t n) {
    std::vector<float> v;
    for (int64_t i = 0; i < n; ++i) v.push_back(std::uniform_real_distribution<float>(-1, 1)(rng_));
    return v;
  }
  std::vector<float> Weights(int64_t n) {  // multiples of a scale, so that int8 weights are exact
    std::vector<float> v;
    for (int64_t i = 0; i < n; ++i)
      v.push_back(kScale * static_cast<float>(std::uniform_int_distribution<int>(-60, 60)(rng_)));
    return v;
  }
  void AddWeights(OpTester* t, const std::vector<float>& w, int64_t n, int64_t k) {
    if (!s_.hybrid) {
      packed_.push_back(std::make_unique<PackedArrays>(PackPanel16F32(w, n, 1, 1, k)));
    } else {
      std::vector<int8_t> q;
      for (float v : w) q.push_back(static_cast<int8_t>(std::lrint(v / kScale)));
      packed_.push_back(std::make_unique<PackedArrays>(PackPanel16I8(q, n, 1, 1, k)));
      packed_.back()->scale = {kScale};
    }
    t->Weights(packed_.back()->View());
  }

  // A row as int8 weights see it.
  Doubles Seen(Doubles x) const {
    if (!s_.hybrid) return x;
    const double lo = std::min(0.0, *std::min_element(x.begin(), x.end()));
    const double hi = std::max(0.0, *std::max_element(x.begin(), x.end()));
    if (lo == hi) return x;
    const double step = s_.asymmetric ? (hi - lo) / 255 : std::max(-lo, hi) / 127;
    // With a zero point the codes are lo / step + integers shifted so that 0 is one of them: the
    // same grid.
    for (double& v : x) v = std::nearbyint(v / step) * step;
    return x;
  }
  static double Dot(const Doubles& x, const std::vector<float>& w, int64_t n) {
    double sum = 0;
    for (size_t j = 0; j < x.size(); ++j)
      sum += x[j] * double{w[static_cast<size_t>(n) * x.size() + j]};
    return sum;
  }
  Doubles Sums(const Gate& g, const Doubles& x, const Doubles& h, const Doubles& c) const {
    Doubles a;
    for (int64_t n = 0; n < s_.cells; ++n) {
      const auto at = static_cast<size_t>(n);
      a.push_back((s_.norm ? 0.0 : double{g.bias[at]}) + Dot(x, g.w, n) + Dot(h, g.r, n));
      if (!g.peephole.empty()) a[at] += double{g.peephole[at]} * c[at];
    }
    if (g.norm.empty()) return a;
    double mean = 0, variance = 0;
    for (double v : a) mean += v / static_cast<double>(a.size());
    for (double v : a) variance += (v - mean) * (v - mean) / static_cast<double>(a.size());
    for (size_t n = 0; n < a.size(); ++n) {
      a[n] = (a[n] - mean) / std::sqrt(variance + 1e-8) * double{g.norm[n]} + double{g.bias[n]};
    }
    return a;
  }
  static double Logistic(double v) { return 1 / (1 + std::exp(-v)); }
  double Clipped(double v) const {
    return s_.clip == 0
               ? v
               : std::clamp(v, -static_cast<double>(s_.clip), static_cast<double>(s_.clip));
  }
  void Step(const Doubles& input, Doubles* h, Doubles* c) const {
    const Doubles x = Seen(input), before = Seen(*h);
    const Doubles f = Sums(gates_[1], x, before, *c), g = Sums(gates_[2], x, before, *c);
    const Doubles i = s_.cifg ? Doubles() : Sums(gates_[0], x, before, *c);
    for (size_t n = 0; n < c->size(); ++n) {
      const double admit = s_.cifg ? 1 - Logistic(f[n]) : Logistic(i[n]);
      (*c)[n] = Clipped(Logistic(f[n]) * (*c)[n] + admit * std::tanh(g[n]));
    }
    Doubles m = Sums(gates_[3], x, before, *c);
    for (size_t n = 0; n < c->size(); ++n) m[n] = Logistic(m[n]) * std::tanh((*c)[n]);
    if (s_.projection) {
      const Doubles seen = Seen(m);
      m.clear();
      for (int64_t n = 0; n < s_.outputs; ++n)
        m.push_back(double{bias_p_[static_cast<size_t>(n)]} + Dot(seen, p_, n));
    }
    for (double& v : m) v = Clipped(v);
    *h = m;
  }

  LstmSpec s_;
  std::mt19937 rng_{4};
  Gate gates_[4];
  std::vector<float> p_, bias_p_, x_, h_, c_;
  std::vector<std::unique_ptr<PackedArrays>> packed_;
};

TEST(LstmFloatTest, EqualsTheFormulas) {
  for (const LstmSpec& spec : kSpecs) {
    SCOPED_TRACE(spec.name);
    LstmModel model(spec);
    OpTester t = model.Tester();
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_FALSE(t.prepared().exact);
    const std::vector<float> got = t.Out<float>(0);
    const Doubles want = model.Expect();
    ASSERT_EQ(got.size(), want.size());
    // Quantized rows: a value next to a rounding boundary may fall on the other side; one code is
    // 1/127 of a row.
    const double tolerance = spec.hybrid ? 3e-3 : 1e-5;
    double mean = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(double{got[i]}, want[i], tolerance) << "element " << i;
      mean += std::fabs(double{got[i]} - want[i]) / static_cast<double>(got.size());
    }
    EXPECT_LT(mean, spec.asymmetric ? 1e-3 : 1e-4);
  }
}

TEST(LstmFloatTest, RefusesMixedWeightsAndBadClips) {
  LstmSpec bad = kSpecs[0];
  bad.clip = -1;
  EXPECT_FALSE(LstmModel(bad).Tester().Run().ok());
  bad.clip = NAN;
  EXPECT_FALSE(LstmModel(bad).Tester().Run().ok());
}

}  // namespace
}  // namespace whit
