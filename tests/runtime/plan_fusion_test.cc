// Operators that one step computes, and concatenations that are memory layout: what the plan says
// of them, and that bytes stay those of the plain executor on every tier and thread count.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/simd/tiers.h"
#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

using Spec = ModelBuilder::TensorSpec;

Model Opened(const std::vector<std::byte>& bytes) {
  auto model = Model::OpenBytes(bytes);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

std::vector<std::vector<uint8_t>> OutputsOn(const Model& model, const RunnerOptions& options) {
  auto runner = Runner::Create(model, options);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  if (!runner.ok()) return {};
  for (size_t i = 0; i < runner->input_count(); ++i) {
    auto in = runner->input(i).bytes();
    for (size_t j = 0; j < in.size(); ++j) in[j] = static_cast<uint8_t>(i * 91 + j * 37 + j / 7);
  }
  std::vector<std::vector<uint8_t>> out;
  for (int run = 0; run < 2; ++run) {  // the second finds the memory as the first left it
    const Status ran = runner->Run();
    EXPECT_TRUE(ran.ok()) << ran.message();
    out.clear();
    for (size_t i = 0; i < runner->output_count(); ++i) {
      const auto bytes = runner->output(i).bytes();
      out.emplace_back(bytes.begin(), bytes.end());
    }
  }
  return out;
}

void ExpectPlainBytes(const Model& model) {
  RunnerOptions plain;
  plain.plain = true;
  const auto want = OutputsOn(model, plain);
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    if (!simd::StateOf(i).usable) continue;
    for (int threads : {1, 3}) {
      RunnerOptions options;
      options.isa = simd::Tiers()[i].name;
      options.threads = threads;
      options.split_always = true;
      EXPECT_EQ(OutputsOn(model, options), want) << options.isa << ", " << threads << " threads";
    }
  }
}

std::vector<std::string> OpsOf(const Model& model) {
  auto runner = Runner::Create(model);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  std::vector<std::string> ops;
  for (const PlanStep& step : DescribePlan(*runner)) ops.push_back(step.op);
  return ops;
}

int64_t Count(const std::vector<std::string>& ops, const std::string& op) {
  return std::count(ops.begin(), ops.end(), op);
}

bool HasSimd() { return simd::Tiers().size() > 1 && simd::StateOf(1).usable; }
/// Whether its plans store activations as uint8.
bool ShiftsActivations() { return HasSimd() && simd::Tiers()[1].act_bias != 0; }

// x -> expand -> depthwise -> project, + x; the Add's operands in either order; channels that do
// not fill a register join, those that end inside one do not.
TEST(PlanFusion, AddJoinsTheProductBeforeIt) {
  for (const uint32_t channels : {24u, 16u, 40u, 12u}) {
    for (const bool swapped : {false, true}) {
      std::mt19937 rng(channels);
      ModelBuilder b;
      const int x = b.Tensor("x", {fbs::DType::int8, {1, 9, 7, channels}, 0.02f, -5});
      const int wide = b.Tensor("wide", {fbs::DType::int8, {1, 9, 7, 48}, 0.05f, -128});
      const int dw = b.Tensor("dw", {fbs::DType::int8, {1, 9, 7, 48}, 0.05f, -128});
      const int narrow = b.Tensor("narrow", {fbs::DType::int8, {1, 9, 7, channels}, 0.05f, 7});
      const int sum = b.Tensor("sum", {fbs::DType::int8, {1, 9, 7, channels}, 0.06f, 3});
      b.Conv("expand", x, wide, 1, &rng);
      b.Conv("depthwise", wide, dw, 3, &rng, /*depthwise=*/true);
      b.Conv("project", dw, narrow, 1, &rng);
      fbs::BinaryOptionsT o;
      o.lo = -100;
      b.Op("add", fbs::Options::Add, o, swapped ? std::vector{narrow, x} : std::vector{x, narrow},
           {sum});
      b.Input(x, fbs::DType::int8);
      b.Output(sum, fbs::DType::int8);
      const auto bytes = b.Finish();
      const Model model = Opened(bytes);
      ExpectPlainBytes(model);
      if (!HasSimd()) continue;
      const auto ops = OpsOf(model);
      EXPECT_EQ(Count(ops, "Conv2D+Add"), channels % 8 == 0 ? 1 : 0) << channels;
      EXPECT_EQ(Count(ops, "Add"), channels % 8 == 0 ? 0 : 1) << channels;
    }
  }
}

TEST(PlanFusion, AddOfATensorWithAnotherReaderDoesNotJoin) {
  std::mt19937 rng(3);
  ModelBuilder b;
  const int x = b.Tensor("x", {fbs::DType::int8, {1, 5, 5, 16}, 0.02f, -5});
  const int y = b.Tensor("y", {fbs::DType::int8, {1, 5, 5, 16}, 0.05f, 7});
  const int sum = b.Tensor("sum", {fbs::DType::int8, {1, 5, 5, 16}, 0.06f, 3});
  b.Conv("conv", x, y, 3, &rng);
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {x, y}, {sum});
  b.Input(x, fbs::DType::int8);
  b.Output(sum, fbs::DType::int8);
  b.Output(y, fbs::DType::int8);  // must be there by itself
  const auto bytes = b.Finish();
  const Model model = Opened(bytes);
  ExpectPlainBytes(model);
  EXPECT_EQ(Count(OpsOf(model), "Conv2D+Add"), 0);
}

// Four branches side by side in channels: convolution, depthwise, convolution with a joined Add
// (all written in place), and the input itself (copied).
TEST(PlanFusion, ConcatenationOfChannelsIsLayout) {
  std::mt19937 rng(5);
  ModelBuilder b;
  const Spec input = {fbs::DType::int8, {2, 6, 5, 16}, 0.05f, -3};
  const int x = b.Tensor("x", input);
  const auto tensor = [&](const char* name, uint32_t channels) {
    return b.Tensor(name, {fbs::DType::int8, {2, 6, 5, channels}, 0.05f, -3});
  };
  const int a = tensor("a", 24), d = tensor("d", 16), c = tensor("c", 16), sum = tensor("sum", 16);
  const int whole = tensor("whole", 24 + 16 + 16 + 16), y = tensor("y", 10);
  b.Conv("a", x, a, 3, &rng);
  b.Conv("d", x, d, 3, &rng, /*depthwise=*/true);
  b.Conv("c", x, c, 1, &rng);
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {c, x}, {sum});
  fbs::AxisOptionsT axis;
  axis.axis = 3;
  b.Op("concat", fbs::Options::Concatenation, axis, {a, d, sum, x}, {whole});
  b.Conv("y", whole, y, 1, &rng);
  b.Input(x, fbs::DType::int8);
  b.Output(y, fbs::DType::int8);
  const auto bytes = b.Finish();
  const Model model = Opened(bytes);
  ExpectPlainBytes(model);
  EXPECT_EQ(Count(OpsOf(model), "Concatenation"), 1);  // the input's own channels
}

// Blocks one behind the other (the heads of a detector): no step is left, also where the
// concatenation is an output of the model.
TEST(PlanFusion, ConcatenationOfBlocksDisappears) {
  std::mt19937 rng(6);
  ModelBuilder b;
  const int x = b.Tensor("x", {fbs::DType::int8, {1, 4, 4, 8}, 0.05f, -3});
  const int a = b.Tensor("a", {fbs::DType::int8, {1, 4, 4, 12}, 0.05f, -3});
  const int c = b.Tensor("c", {fbs::DType::int8, {1, 4, 4, 6}, 0.05f, -3});
  const int flat_a = b.Tensor("flat_a", {fbs::DType::int8, {1, 96, 2}, 0.05f, -3});
  const int flat_c = b.Tensor("flat_c", {fbs::DType::int8, {1, 48, 2}, 0.05f, -3});
  const int whole = b.Tensor("whole", {fbs::DType::int8, {1, 144, 2}, 0.05f, -3});
  b.Conv("a", x, a, 1, &rng);
  b.Conv("c", x, c, 3, &rng);
  b.Op("ra", fbs::Options::Reshape, fbs::ReshapeOptionsT{}, {a}, {flat_a});
  b.Op("rc", fbs::Options::Reshape, fbs::ReshapeOptionsT{}, {c}, {flat_c});
  fbs::AxisOptionsT axis;
  axis.axis = 1;
  b.Op("concat", fbs::Options::Concatenation, axis, {flat_a, flat_c}, {whole});
  b.Input(x, fbs::DType::int8);
  b.Output(whole, fbs::DType::uint8);
  const auto bytes = b.Finish();
  const Model model = Opened(bytes);
  ExpectPlainBytes(model);
  EXPECT_EQ(Count(OpsOf(model), "Concatenation"), 0);
}

// The same tensor twice, and a piece that others read, are copied.
TEST(PlanFusion, SharedPiecesAreCopied) {
  std::mt19937 rng(7);
  ModelBuilder b;
  const Spec spec = {fbs::DType::int8, {1, 4, 4, 8}, 0.05f, -3};
  const int x = b.Tensor("x", spec), a = b.Tensor("a", spec), c = b.Tensor("c", spec);
  const int whole = b.Tensor("whole", {fbs::DType::int8, {1, 4, 4, 32}, 0.05f, -3});
  b.Conv("a", x, a, 3, &rng);
  b.Conv("c", a, c, 3, &rng);
  fbs::AxisOptionsT axis;
  axis.axis = 3;
  b.Op("concat", fbs::Options::Concatenation, axis, {a, c, c, x}, {whole});
  b.Input(x, fbs::DType::int8);
  b.Output(whole, fbs::DType::int8);
  const auto bytes = b.Finish();
  ExpectPlainBytes(Opened(bytes));
}

// A table is gathered as the file has it; another constant is shifted by the first run.
TEST(PlanConstants, AreNotShiftedInEveryRun) {
  std::mt19937 rng(5);
  const auto random = [&](size_t n) {
    std::vector<std::byte> bytes(n);
    for (std::byte& v : bytes) v = static_cast<std::byte>(rng());
    return bytes;
  };
  for (const uint32_t width : {16u, 13u}) {
    const auto table_bytes = random(50 * width), addend_bytes = random(width);
    ModelBuilder b;
    const int table = b.Constant("table", {fbs::DType::int8, {50, width}, 0.03f, 4}, table_bytes);
    const int addend = b.Constant("addend", {fbs::DType::int8, {width}, 0.02f, -9}, addend_bytes);
    const int32_t places[] = {3, 49, 0, 3, 17, 48};
    const int index =
        b.Constant("index", {fbs::DType::int32, {1, 6}}, std::as_bytes(std::span(places)));
    const int x = b.Tensor("x", {fbs::DType::int8, {1, 6, width}, 0.02f, -9});
    const int y = b.Tensor("y", {fbs::DType::int8, {1, 6, width}, 0.05f, 0});
    const int rows = b.Tensor("rows", {fbs::DType::int8, {1, 6, width}, 0.03f, 4});
    const int sum = b.Tensor("sum", {fbs::DType::int8, {1, 6, width}, 0.04f, 1});
    b.Op("gather", fbs::Options::Gather, fbs::GatherOptionsT{}, {table, index}, {rows});
    b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {rows, addend}, {sum});
    b.Op("more", fbs::Options::Add, fbs::BinaryOptionsT{}, {sum, x}, {y});
    b.Input(x, fbs::DType::int8);
    b.Output(y, fbs::DType::int8);
    b.Output(rows, fbs::DType::int8);
    b.Output(addend, fbs::DType::int8);
    const auto bytes = b.Finish();
    const Model model = Opened(bytes);
    ExpectPlainBytes(model);
    RunnerOptions options;
    int64_t moves[2] = {0, 0};
    int run = 0;
    options.profile = [&](const StepProfile& step) {
      moves[run] += step.node.find("constant conversion") != std::string::npos;
    };
    auto runner = Runner::Create(model, options);
    ASSERT_TRUE(runner.ok());
    for (run = 0; run < 2; ++run) ASSERT_TRUE(runner->Run().ok());
    EXPECT_EQ(moves[0], ShiftsActivations() ? 1 : 0);  // of the addend alone
    EXPECT_EQ(moves[1], 0);

    // In a caller's arena, whose bytes are not his own between the runs.
    RunnerOptions shared;
    shared.xnnpack = Xnnpack::kOff;
    auto sized = Runner::Create(model, shared);
    ASSERT_TRUE(sized.ok());
    std::vector<std::byte> memory(sized->peak_arena_bytes() + 64);
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    shared.arena = std::span(memory).subspan((64 - address % 64) % 64, sized->peak_arena_bytes());
    auto guest = Runner::Create(model, shared);
    ASSERT_TRUE(guest.ok()) << guest.status().message();
    std::vector<std::vector<uint8_t>> out;
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(guest->Run().ok());
      const auto got = guest->output(0).bytes();
      out.emplace_back(got.begin(), got.end());
      std::fill(memory.begin(), memory.end(), std::byte{0xEE});
    }
    EXPECT_EQ(out[0], out[1]);
  }
}

}  // namespace
}  // namespace whit
