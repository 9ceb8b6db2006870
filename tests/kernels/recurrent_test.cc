// Lstm and Svdf against a model written from docs/arithmetic.md (Recurrent) over logical, unpacked
// weights: integers to the bit, floats within 1e-5. Also what prepare refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "kernels/pack.h"
#include "kernels/tables.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;

// ---- integers, from the page ----

int64_t Sat(int64_t v) { return std::clamp<int64_t>(v, -32768, 32767); }

int64_t NaiveRequantize(double acc, float m, int64_t z, int64_t lo, int64_t hi) {
  const float v = static_cast<float>(acc) * m;
  const float clamped =
      std::min(std::max(v, static_cast<float>(lo - z)), static_cast<float>(hi - z));
  return z + static_cast<int64_t>(std::nearbyint(clamped));
}

int64_t Q16(int64_t acc, float m) {
  return NaiveRequantize(static_cast<double>(acc), m, 0, -32768, 32767);
}

int64_t Rshift(int64_t v, int n) {
  const double scaled = std::ldexp(static_cast<double>(v), -n);
  return static_cast<int64_t>(std::round(scaled));  // halves away from zero
}

int64_t Table16(const std::vector<int16_t>& t, int64_t q) {
  const int64_t at = (q + 32768) / 128, part = (q + 32768) % 128;
  const double line =
      128.0 * t[static_cast<size_t>(at)] +
      (t[static_cast<size_t>(at) + 1] - t[static_cast<size_t>(at)]) * static_cast<double>(part);
  return static_cast<int64_t>(std::floor(line / 128 + 0.5));
}

struct NaiveGate {
  std::vector<int8_t> w, r;
  std::vector<int32_t> bias_w, bias_r, norm_bias;
  std::vector<int16_t> peephole, norm;
  float m_w = 0, m_r = 0, m_peephole = 0, m_norm = 0;
};

/// An integer Lstm with its sizes and options.
struct Spec {
  const char* name;
  int64_t batch = 2, steps = 4, inputs = 5, cells = 19, outputs = 19;
  bool cifg = false, peephole = false, norm = false, projection = false, time_major = false;
  int cell_shift = -11;
  int cell_clip = 0, projection_clip = 0;
  int zx = -5, zh = 3, zm = -7;
};

class NaiveLstm {
 public:
  NaiveLstm(const Spec& s, uint32_t seed) : s_(s), rng_(seed) {
    for (size_t g = 0; g < 4; ++g) {
      if (g != 0 || !s.cifg) MakeGate(g, &gates_[g]);
    }
    p_ = Bytes(s.outputs * s.cells);
    bias_p_ = Folded(p_, s.cells, s.zm, 3000);
    const auto logistic = MakeTable16(FunctionOf(OpType::kLogistic), 0x1p-12, 0, 0x1p-15, 0);
    const auto tanh = MakeTable16(FunctionOf(OpType::kTanh), 0x1p-12, 0, 0x1p-15, 0);
    logistic_.assign(logistic.begin(), logistic.end());
    tanh_.assign(tanh.begin(), tanh.end());
    x_ = Bytes(s.batch * s.steps * s.inputs);
    h_ = Bytes(s.batch * s.outputs);
    for (int64_t i = 0; i < s.batch * s.cells; ++i)
      c_.push_back(static_cast<int16_t>(Random(-20000, 20000)));
  }

  OpTester Tester() {
    fbs::LstmOptionsT o;
    o.time_major = s_.time_major;
    o.cell_shift = s_.cell_shift;
    o.cell_clip = static_cast<float>(s_.cell_clip);
    o.projection_clip = static_cast<float>(s_.projection_clip);
    o.hidden_multiplier = kHiddenMultiplier;
    // Blobs and weights are numbered in the order in which they are added below.
    int blob = 0, weights = 0;
    for (const NaiveGate& g : gates_) {
      auto gate = std::make_unique<fbs::LstmGateT>();
      if (!g.w.empty()) {
        gate->input_weights = weights++;
        gate->recurrent_weights = weights++;
        gate->input_bias = blob++;
        gate->recurrent_bias = blob++;
        if (!g.peephole.empty()) gate->peephole = blob++;
        if (!g.norm.empty()) gate->norm = blob++;
        if (!g.norm.empty()) gate->norm_bias = blob++;
        gate->input_multiplier = g.m_w;
        gate->recurrent_multiplier = g.m_r;
        gate->peephole_multiplier = g.m_peephole;
        gate->norm_multiplier = g.m_norm;
      }
      o.gates.push_back(std::move(gate));
    }
    o.tables = blob++;
    if (s_.projection) {
      o.projection_weights = weights++;
      o.projection_bias = blob++;
      o.projection_multiplier = kProjectionMultiplier;
      o.hidden_zero_point = s_.zm;
    }
    if (change) change(&o);
    OpTester t(OpType::kLstm, std::move(o));
    const Shape lead = s_.time_major ? Shape{s_.steps, s_.batch} : Shape{s_.batch, s_.steps};
    t.Input(Quantized<int8_t>({lead[0], lead[1], s_.inputs}, x_, 0.03f, s_.zx));
    t.State(Quantized<int8_t>({s_.batch, s_.outputs}, h_, 1 / 128.0f, s_.zh));
    t.State(Quantized<int16_t>({s_.batch, s_.cells}, c_, std::ldexp(1.0f, s_.cell_shift), 0));
    t.Output(DType::kInt8, {lead[0], lead[1], s_.outputs}, 1 / 128.0f, s_.zh);
    AddArrays(&t);
    return t;
  }

  /// y of every step, in the layout of x; h and c become the final states.
  std::vector<int8_t> Expect() {
    std::vector<int8_t> y(static_cast<size_t>(s_.batch * s_.steps * s_.outputs));
    for (int64_t b = 0; b < s_.batch; ++b) {
      for (int64_t t = 0; t < s_.steps; ++t) {
        const int64_t row = s_.time_major ? t * s_.batch + b : b * s_.steps + t;
        Step(&x_[static_cast<size_t>(row * s_.inputs)], &h_[static_cast<size_t>(b * s_.outputs)],
             &c_[static_cast<size_t>(b * s_.cells)]);
        std::copy_n(&h_[static_cast<size_t>(b * s_.outputs)], s_.outputs,
                    &y[static_cast<size_t>(row * s_.outputs)]);
      }
    }
    return y;
  }

  const std::vector<int8_t>& h() const { return h_; }
  const std::vector<int16_t>& c() const { return c_; }
  std::function<void(fbs::LstmOptionsT*)> change;

 private:
  static constexpr float kHiddenMultiplier = 0x1p-23f, kProjectionMultiplier = 0.0007f;

  int64_t Random(int64_t lo, int64_t hi) {
    return std::uniform_int_distribution<int64_t>(lo, hi)(rng_);
  }
  std::vector<int8_t> Bytes(int64_t n) {
    std::vector<int8_t> v;
    for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<int8_t>(Random(-128, 127)));
    return v;
  }
  /// b - z * row sums.
  std::vector<int32_t> Folded(const std::vector<int8_t>& w, int64_t k, int64_t z, int64_t range) {
    std::vector<int32_t> v;
    for (size_t n = 0; n < w.size() / static_cast<size_t>(k); ++n) {
      int64_t sum = 0;
      for (int64_t j = 0; j < k; ++j) sum += w[n * static_cast<size_t>(k) + static_cast<size_t>(j)];
      v.push_back(static_cast<int32_t>(Random(-range, range) - z * sum));
    }
    return v;
  }
  void MakeGate(size_t index, NaiveGate* g) {
    g->w = Bytes(s_.cells * s_.inputs);
    g->r = Bytes(s_.cells * s_.outputs);
    g->bias_w = Folded(g->w, s_.inputs, s_.zx, s_.norm ? 0 : 4000);
    g->bias_r = Folded(g->r, s_.outputs, s_.zh, 0);
    g->m_w = 0.31f + 0.1f * static_cast<float>(index);
    g->m_r = 0.17f;
    for (int64_t n = 0; n < s_.cells; ++n) {
      if (s_.peephole && index != 2)
        g->peephole.push_back(static_cast<int16_t>(Random(-32768, 32767)));
      if (s_.norm) g->norm.push_back(static_cast<int16_t>(Random(-32768, 32767)));
      if (s_.norm) g->norm_bias.push_back(static_cast<int32_t>(Random(-4000000, 4000000)));
    }
    g->m_peephole = 0.00002f;
    g->m_norm = 0.11f;
  }
  void AddArrays(OpTester* t) {
    const auto weights = [&](const std::vector<int8_t>& w, int64_t n, int64_t k) {
      packed_.push_back(std::make_unique<PackedArrays>(PackPanel16I8(w, n, 1, 1, k)));
      t->Weights(packed_.back()->View());
    };
    for (const NaiveGate& g : gates_) {
      if (g.w.empty()) continue;
      weights(g.w, s_.cells, s_.inputs);
      weights(g.r, s_.cells, s_.outputs);
      t->Blob(g.bias_w);
      t->Blob(g.bias_r);
      if (!g.peephole.empty()) t->Blob(g.peephole);
      if (!g.norm.empty()) t->Blob(g.norm);
      if (!g.norm.empty()) t->Blob(g.norm_bias);
    }
    std::vector<int16_t> tables = logistic_;
    tables.insert(tables.end(), tanh_.begin(), tanh_.end());
    t->Blob(tables);
    if (!s_.projection) return;
    weights(p_, s_.outputs, s_.cells);
    t->Blob(bias_p_);
  }

  static int64_t Dot(const int8_t* x, const std::vector<int8_t>& w, int64_t n, int64_t k) {
    int64_t sum = 0;
    for (int64_t j = 0; j < k; ++j) sum += x[j] * w[static_cast<size_t>(n * k + j)];
    return sum;
  }

  Ints Gate(const NaiveGate& g, const int8_t* x, const int8_t* h, const int16_t* c,
            const std::vector<int16_t>& table) const {
    Ints a;
    for (int64_t n = 0; n < s_.cells; ++n) {
      const auto at = static_cast<size_t>(n);
      a.push_back(Q16(g.bias_w[at] + Dot(x, g.w, n, s_.inputs), g.m_w));
      a[at] = Sat(a[at] + Q16(g.bias_r[at] + Dot(h, g.r, n, s_.outputs), g.m_r));
      if (!g.peephole.empty())
        a[at] = Sat(a[at] + Q16(int64_t{g.peephole[at]} * c[n], g.m_peephole));
    }
    if (!g.norm.empty()) Normalize(g, &a);
    for (int64_t& v : a) v = Table16(table, v);
    return a;
  }
  void Normalize(const NaiveGate& g, Ints* a) const {
    int64_t sum = 0, squares = 0;
    for (int64_t v : *a) sum += v, squares += v * v;
    const int64_t n = s_.cells, spread = std::max(n * squares - sum * sum, n * n);
    for (size_t i = 0; i < a->size(); ++i) {
      const double v = static_cast<double>(n * (*a)[i] - sum) /
                           std::sqrt(static_cast<double>(spread)) * g.norm[i] +
                       g.norm_bias[i] * 0x1p-10;
      const auto scaled = static_cast<float>(v * static_cast<double>(g.m_norm));
      (*a)[i] = static_cast<int64_t>(std::nearbyint(std::clamp(scaled, -32768.0f, 32767.0f)));
    }
  }
  void Step(const int8_t* x, int8_t* h, int16_t* c) const {
    const Ints f = Gate(gates_[1], x, h, c, logistic_), g = Gate(gates_[2], x, h, c, tanh_);
    Ints i;
    if (!s_.cifg) i = Gate(gates_[0], x, h, c, logistic_);
    for (int64_t n = 0; n < s_.cells; ++n) {
      const auto at = static_cast<size_t>(n);
      const int64_t admit = s_.cifg ? 32767 - f[at] : i[at];
      int64_t v = Sat(Rshift(f[at] * c[n], 15) + Rshift(admit * g[at], 30 + s_.cell_shift));
      if (s_.cell_clip != 0) v = std::clamp<int64_t>(v, -s_.cell_clip, s_.cell_clip);
      c[n] = static_cast<int16_t>(v);
    }
    const Ints o = Gate(gates_[3], x, h, c, logistic_);
    std::vector<int8_t> m;
    for (int64_t n = 0; n < s_.cells; ++n) {
      const int up = 12 + s_.cell_shift;
      const int64_t t = Table16(tanh_, up >= 0 ? Sat(int64_t{c[n]} << up) : Rshift(c[n], -up));
      const int64_t clip = s_.projection || s_.projection_clip == 0 ? 128 : s_.projection_clip;
      const int64_t z = s_.projection ? s_.zm : s_.zh;
      m.push_back(static_cast<int8_t>(
          NaiveRequantize(static_cast<double>(o[static_cast<size_t>(n)] * t), kHiddenMultiplier, z,
                          -clip, std::min<int64_t>(127, clip))));
    }
    if (!s_.projection) {
      std::copy(m.begin(), m.end(), h);
      return;
    }
    const int64_t clip = s_.projection_clip == 0 ? 128 : s_.projection_clip;
    for (int64_t n = 0; n < s_.outputs; ++n) {
      const int64_t acc = bias_p_[static_cast<size_t>(n)] + Dot(m.data(), p_, n, s_.cells);
      h[n] = static_cast<int8_t>(NaiveRequantize(static_cast<double>(acc), kProjectionMultiplier,
                                                 s_.zh, -clip, std::min<int64_t>(127, clip)));
    }
  }

  Spec s_;
  std::mt19937 rng_;
  NaiveGate gates_[4];
  std::vector<int8_t> p_, x_, h_;
  std::vector<int16_t> c_, logistic_, tanh_;
  std::vector<int32_t> bias_p_;
  std::vector<std::unique_ptr<PackedArrays>> packed_;
};

const Spec kSpecs[] = {
    {.name = "plain"},
    {.name = "one of each", .batch = 1, .steps = 1, .inputs = 1, .cells = 1, .outputs = 1},
    {.name = "panel of 8", .batch = 3, .inputs = 17, .cells = 7, .outputs = 7, .time_major = true},
    {.name = "panels 16 + 8",
     .batch = 1,
     .inputs = 28,
     .cells = 20,
     .outputs = 20,
     .cell_shift = -12},
    {.name = "cifg", .cifg = true},
    {.name = "peephole", .peephole = true},
    {.name = "norm", .norm = true},
    {.name = "projection", .outputs = 6, .projection = true},
    {.name = "all",
     .outputs = 33,
     .peephole = true,
     .norm = true,
     .projection = true,
     .time_major = true,
     .cell_clip = 9000,
     .projection_clip = 40},
    {.name = "all, cifg",
     .outputs = 3,
     .cifg = true,
     .peephole = true,
     .norm = true,
     .projection = true},
    {.name = "clips", .cell_clip = 500, .projection_clip = 20},
    {.name = "fine cell", .cell_shift = -15},
    {.name = "cell of whole numbers", .cell_shift = 0},
    {.name = "no steps", .steps = 0},
};

TEST(LstmTest, IntegersEqualThePage) {
  for (const Spec& spec : kSpecs) {
    SCOPED_TRACE(spec.name);
    NaiveLstm naive(spec, 7);
    OpTester t = naive.Tester();
    const Status status = t.Run();
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(t.prepared().exact);
    EXPECT_EQ(t.prepared().tasks, spec.batch);
    const std::vector<int8_t> want = naive.Expect();
    EXPECT_EQ(t.Out<int8_t>(0), want);
    EXPECT_EQ(t.FinalState<int8_t>(1), naive.h());
    EXPECT_EQ(t.FinalState<int16_t>(2), naive.c());
  }
}

TEST(LstmTest, TheModelIsNotConstant) {  // so that the test above can fail
  NaiveLstm naive(kSpecs[0], 7);
  std::vector<int8_t> y = naive.Expect();
  std::sort(y.begin(), y.end());
  EXPECT_GT(std::unique(y.begin(), y.end()) - y.begin(), 60);
}

TEST(LstmTest, RefusesBadOptions) {
  const std::pair<const char*, std::function<void(fbs::LstmOptionsT*)>> cases[] = {
      {"3 gates", [](auto* o) { o->gates.pop_back(); }},
      {"no gate f", [](auto* o) { *o->gates[1] = fbs::LstmGateT(); }},
      {"half a gate", [](auto* o) { o->gates[0]->recurrent_weights = -1; }},
      {"weights of another size",
       [](auto* o) { o->gates[3]->input_weights = o->gates[3]->recurrent_weights; }},
      {"weights out of range", [](auto* o) { o->gates[2]->input_weights = 99; }},
      {"bias of another size", [](auto* o) { o->gates[2]->input_bias = o->tables; }},
      {"no tables", [](auto* o) { o->tables = -1; }},
      {"multiplier 0", [](auto* o) { o->gates[0]->recurrent_multiplier = 0; }},
      {"multiplier NaN", [](auto* o) { o->hidden_multiplier = NAN; }},
      {"peephole in g", [](auto* o) { o->gates[2]->peephole = o->gates[0]->peephole; }},
      {"peephole multiplier", [](auto* o) { o->gates[3]->peephole_multiplier = INFINITY; }},
      {"norm without bias", [](auto* o) { o->gates[1]->norm_bias = -1; }},
      {"norm multiplier", [](auto* o) { o->gates[1]->norm_multiplier = -1; }},
      {"cell shift", [](auto* o) { o->cell_shift = -16; }},
      {"cell shift up", [](auto* o) { o->cell_shift = 1; }},
      {"cell clip", [](auto* o) { o->cell_clip = 0.5f; }},
      {"cell clip NaN", [](auto* o) { o->cell_clip = NAN; }},
      {"projection clip", [](auto* o) { o->projection_clip = -1; }},
      {"hidden zero point", [](auto* o) { o->hidden_zero_point = 200; }},
      {"projection multiplier", [](auto* o) { o->projection_multiplier = 0; }},
      {"no projection", [](auto* o) { o->projection_weights = -1; }},
  };
  const Spec spec{.name = "", .outputs = 6, .peephole = true, .norm = true, .projection = true};
  for (const auto& [what, change] : cases) {
    NaiveLstm naive(spec, 3);
    naive.change = change;
    EXPECT_FALSE(naive.Tester().Run().ok()) << what;
  }
  NaiveLstm naive(spec, 3);
  EXPECT_TRUE(naive.Tester().Run().ok());
}

TEST(LstmTest, RefusesAStateThatIsNoVariable) {
  fbs::LstmOptionsT o;
  OpTester t(OpType::kLstm, std::move(o));
  t.Input(Plain<float>({1, 1, 1}, {0}))
      .Input(Plain<float>({1, 1}, {0}))
      .State(Plain<float>({1, 1}, {0}));
  t.Output(DType::kFloat32, {1, 1, 1});
  const Status status = t.Run();
  EXPECT_NE(status.message().find("variable"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace whit
