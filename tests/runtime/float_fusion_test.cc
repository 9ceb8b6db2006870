// Float operators that one step computes, and pieces of concatenations: close to the plain executor
// on every tier, and the same bytes for every number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/simd/tiers.h"
#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

using Spec = ModelBuilder::TensorSpec;

void FloatConv(ModelBuilder* b, const char* name, int in, int out, int64_t cin, int64_t cout,
               int64_t k, std::mt19937* rng) {
  std::normal_distribution<float> normal(0, 0.2f);
  std::vector<float> w(static_cast<size_t>(cout * k * k * cin)), bias(static_cast<size_t>(cout));
  for (float& v : w) v = normal(*rng);
  for (float& v : bias) v = normal(*rng);
  const Runs runs = ConvRuns(k, k, cin, 1, 1);
  PackedArrays packed = PackPanel16F32(w, cout, 1, runs.runs, runs.run_length);
  packed.shape = {cout, k, k, cin};
  fbs::ConvOptionsT o;
  o.pad_top = o.pad_bottom = o.pad_left = o.pad_right = static_cast<uint32_t>(k / 2);
  o.weights = b->Weights(packed);
  o.bias = b->Blob(std::as_bytes(std::span(bias)));
  o.lo = -1;
  b->Op(name, fbs::Options::Conv2D, o, {in}, {out});
}

std::vector<float> RunOn(const Model& model, const RunnerOptions& options) {
  auto runner = Runner::Create(model, options);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  if (!runner.ok()) return {};
  auto in = runner->input(0).bytes();
  for (size_t i = 0; i < in.size() / 4; ++i) {
    const float v = std::sin(static_cast<float>(i) * 0.7f);
    std::memcpy(&in[4 * i], &v, 4);
  }
  for (int run = 0; run < 2; ++run) {  // the second finds the memory as the first left it
    const Status ran = runner->Run();
    EXPECT_TRUE(ran.ok()) << ran.message();
  }
  const auto bytes = runner->output(0).bytes();
  std::vector<float> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

void ExpectCloseToPlain(const Model& model) {
  RunnerOptions plain;
  plain.plain = true;
  const std::vector<float> want = RunOn(model, plain);
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    if (!simd::StateOf(i).usable) continue;
    RunnerOptions options;
    options.isa = simd::Tiers()[i].name;
    options.xnnpack = Xnnpack::kOff;
    const std::vector<float> one = RunOn(model, options);
    ASSERT_EQ(one.size(), want.size());
    for (size_t j = 0; j < want.size(); ++j) {
      ASSERT_NEAR(one[j], want[j], 1e-4f) << options.isa << ", element " << j;
    }
    options.threads = 3;
    options.split_always = true;
    EXPECT_EQ(RunOn(model, options), one) << options.isa << ": bytes depend on threads";
  }
}

int64_t CountOps(const Model& model, const std::string& op) {
  auto runner = Runner::Create(model);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  const auto plan = DescribePlan(*runner);
  return std::count_if(plan.begin(), plan.end(), [&](const PlanStep& s) { return s.op == op; });
}

Model Open(const std::vector<std::byte>& bytes) {
  auto model = Model::OpenBytes(bytes);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

// x -> a -> c, + x; the sum beside another branch in a concatenation.
TEST(FloatFusion, AddJoinsTheProductAndWritesAPiece) {
  for (const uint32_t channels : {16u, 24u, 37u, 5u}) {
    for (const bool swapped : {false, true}) {
      std::mt19937 rng(channels);
      ModelBuilder b;
      const auto tensor = [&](const char* name, uint32_t c) {
        return b.Tensor(name, Spec{fbs::DType::float32, {1, 7, 9, c}});
      };
      const int x = tensor("x", channels), a = tensor("a", 40), c = tensor("c", channels);
      const int sum = tensor("sum", channels), d = tensor("d", 12);
      const int whole = tensor("whole", channels + 12);
      FloatConv(&b, "a", x, a, channels, 40, 3, &rng);
      FloatConv(&b, "c", a, c, 40, channels, 1, &rng);
      fbs::BinaryOptionsT o;
      o.lo = 0, o.hi = 3;
      b.Op("add", fbs::Options::Add, o, swapped ? std::vector{c, x} : std::vector{x, c}, {sum});
      FloatConv(&b, "d", x, d, channels, 12, 1, &rng);
      fbs::AxisOptionsT axis;
      axis.axis = 3;
      b.Op("concat", fbs::Options::Concatenation, axis, {sum, d}, {whole});
      b.Input(x, fbs::DType::float32);
      b.Output(whole, fbs::DType::float32);
      const auto bytes = b.Finish();
      const Model model = Open(bytes);
      ExpectCloseToPlain(model);
      if (simd::Tiers().size() < 2 || !simd::StateOf(1).usable || !simd::Tiers()[1].f32) continue;
      EXPECT_EQ(CountOps(model, "Conv2D+Add"), 1);
      EXPECT_EQ(CountOps(model, "Concatenation"), 0);
    }
  }
}

// The sum may take the memory of the operand that the product does not make.
TEST(FloatFusion, SumInPlace) {
  std::mt19937 rng(2);
  ModelBuilder b;
  const Spec spec = {fbs::DType::float32, {1, 9, 11, 20}};  // enough tiles for Winograd
  const int x = b.Tensor("x", spec), y = b.Tensor("y", spec), a = b.Tensor("a", spec);
  const int sum = b.Tensor("sum", spec), out = b.Tensor("out", spec);
  FloatConv(&b, "y", x, y, 20, 20, 3, &rng);
  FloatConv(&b, "a", y, a, 20, 20, 3, &rng);
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {y, a}, {sum});
  FloatConv(&b, "out", sum, out, 20, 20, 3, &rng);
  b.Input(x, fbs::DType::float32);
  b.Output(out, fbs::DType::float32);
  const auto bytes = b.Finish();
  ExpectCloseToPlain(Open(bytes));
}

}  // namespace
}  // namespace whit
