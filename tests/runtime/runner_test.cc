// The planned executor against the plain one, storage against storage, and what the interface
// promises.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "runtime/graph.h"
#include "runtime/impl.h"
#include "runtime/plan.h"
#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

Model OpenSmall(const std::vector<std::byte>& bytes) {
  auto model = Model::OpenBytes(bytes);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

std::vector<uint8_t> RunOnce(const Model& model, const RunnerOptions& options, uint8_t seed) {
  auto runner = Runner::Create(model, options);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  if (!runner.ok()) return {};
  auto in = runner->input(0).bytes();
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(seed + i * 37);
  const Status ran = runner->Run();
  EXPECT_TRUE(ran.ok()) << ran.message();
  const auto out = runner->output(0).bytes();
  return {out.begin(), out.end()};
}

TEST(Runner, PlannedEqualsPlainForEveryThreadCount) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  RunnerOptions plain;
  plain.plain = true;
  for (uint8_t seed : {0, 1, 200}) {
    const auto want = RunOnce(model, plain, seed);
    ASSERT_EQ(want.size(), 10u);
    for (int threads : {1, 2, 3, 5}) {
      RunnerOptions options;
      options.threads = threads;
      options.split_always = true;
      EXPECT_EQ(RunOnce(model, options, seed), want) << threads << " threads, seed " << int{seed};
      options.plain = true;
      EXPECT_EQ(RunOnce(model, options, seed), want)
          << threads << " threads plain, seed " << int{seed};
    }
  }
}

TEST(Runner, TimeWithoutTheDataGivesTheSameBytes) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  RunnerOptions plain;
  plain.plain = true;
  const auto want = RunOnce(model, plain, 3);
  for (const Tier& tier : CpuTiers()) {
    if (!tier.usable) continue;
    RunnerOptions options;
    options.isa = tier.name;
    auto looking = Runner::Create(model, options);
    options.any_data = true;
    auto blind = Runner::Create(model, options);
    ASSERT_TRUE(looking.ok() && blind.ok());
    EXPECT_EQ(looking->time_depends_on_data(), tier.name == "sse41" || tier.name == "avx2");
    EXPECT_FALSE(blind->time_depends_on_data());
    EXPECT_EQ(RunOnce(model, options, 3), want) << tier.name;
  }
}

TEST(Runner, PeakOfEveryTier) {
  for (const Tier& tier : CpuTiers()) {
    if (!tier.usable) continue;
    const auto peak = MeasurePeak(tier.name);
    ASSERT_TRUE(peak.ok());
    EXPECT_EQ(peak->int8_gmacs > 0, tier.name != "scalar") << tier.name;
    EXPECT_EQ(peak->float_gmacs > 0, tier.name != "scalar") << tier.name;
  }
  EXPECT_FALSE(MeasurePeak("z80").ok());
}

TEST(Runner, OutputsDependOnInputs) {  // guards the test above against comparing constants
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  EXPECT_NE(RunOnce(model, {}, 0), RunOnce(model, {}, 99));
}

TEST(Runner, PlanReusesMemoryAndDropsReshape) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  RunnerOptions planned_options, plain_options;
  planned_options.isa = "scalar";  // whose scratch is small beside the tensors
  plain_options.plain = true;
  auto planned = Runner::Create(model, planned_options),
       plain = Runner::Create(model, plain_options);
  ASSERT_TRUE(planned.ok() && plain.ok());
  EXPECT_LT(planned->peak_arena_bytes(), plain->peak_arena_bytes());
  EXPECT_LT(DescribePlan(*planned).size(), DescribePlan(*plain).size());
  EXPECT_TRUE(planned->exact());
}

TEST(Runner, CallersArenaIsUsedAndChecked) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  RunnerOptions options;
  options.xnnpack = Xnnpack::kOff;
  auto sized = Runner::Create(model, options);
  ASSERT_TRUE(sized.ok());
  const auto need = static_cast<size_t>(sized->peak_arena_bytes());
  std::vector<std::byte> memory(need + 64);
  auto* aligned =
      reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  options.arena = {aligned, need};
  EXPECT_EQ(RunOnce(model, options, 3), RunOnce(model, {}, 3));
  options.arena = {aligned, need - 1};
  auto refused = Runner::Create(model, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find(std::to_string(need)), std::string::npos)
      << refused.status().message();
}

TEST(Runner, BudgetsAreNamed) {
  const auto bytes = SmallNetwork();
  OpenOptions options;
  options.budgets.max_macs = 10;
  auto model = Model::OpenBytes(bytes, options);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), StatusCode::kOverBudget);
  EXPECT_NE(model.status().message().find("max_macs"), std::string::npos);
  RunnerOptions runner;
  runner.ram_budget = 100;
  auto refused = Runner::Create(OpenSmall(bytes), runner);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kOverBudget);
}

TEST(Runner, WeightsStayInTheMapping) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  const AddressRange mapping = MappingRange(model);
  EXPECT_EQ(mapping.begin, reinterpret_cast<uintptr_t>(bytes.data()));
  const auto ranges = WeightRanges(model);
  EXPECT_GE(ranges.size(), 9u);
  for (const AddressRange& r : ranges) {
    EXPECT_GE(r.begin, mapping.begin);
    EXPECT_LE(r.end, mapping.end);
  }
}

TEST(Runner, NamesAndInterface) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].type, Type::kUint8);
  EXPECT_EQ(model.inputs()[0].zero_point, 123);  // -5 seen as uint8
  auto runner = Runner::Create(model);
  ASSERT_TRUE(runner.ok());
  EXPECT_TRUE(runner->FindInput("x").ok());
  EXPECT_FALSE(runner->FindOutput("nope").ok());
  RunnerOptions options;
  options.isa = "z80";
  EXPECT_FALSE(Runner::Create(model, options).ok());
  options = {};
  options.threads = 0;
  EXPECT_FALSE(Runner::Create(model, options).ok());
}

TEST(Runner, CancelStopsBeforeAStep) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  bool cancel = true;
  RunnerOptions options;
  options.cancel = &cancel;
  auto runner = Runner::Create(model, options);
  ASSERT_TRUE(runner.ok());
  EXPECT_EQ(runner->Run().code(), StatusCode::kCancelled);
  cancel = false;
  EXPECT_TRUE(runner->Run().ok());
}

// A counter: out = variable; variable += x.
std::vector<std::byte> CounterModel(bool divides) {
  ModelBuilder b;
  const ModelBuilder::TensorSpec spec{fbs::DType::int32, {4}, 0, 0};
  const int v = b.Variable("total", spec);
  const int x = b.Tensor("x", spec), old = b.Tensor("old", spec), next = b.Tensor("next", spec);
  fbs::VariableOptionsT o;
  o.variable = v;
  b.Op("read", fbs::Options::ReadVariable, o, {}, {old});
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {old, x}, {next});
  b.Op("assign", fbs::Options::AssignVariable, o, {next}, {});
  int out = old;
  if (divides) {
    out = b.Tensor("quotient", spec);
    b.Op("divide", fbs::Options::FloorDiv, fbs::BinaryOptionsT{}, {old, x}, {out});
  }
  b.Input(x, fbs::DType::int32);
  b.Output(out, fbs::DType::int32);
  return b.Finish();
}

TEST(Runner, VariablesPersistUntilReset) {
  const auto bytes = CounterModel(false);
  const Model model = OpenSmall(bytes);
  for (bool plain : {false, true}) {
    RunnerOptions options;
    options.plain = plain;
    auto runner = Runner::Create(model, options);
    ASSERT_TRUE(runner.ok()) << runner.status().message();
    auto in = runner->input(0).as<int32_t>();
    std::fill(in.begin(), in.end(), 5);
    for (int want : {0, 5, 10}) {
      ASSERT_TRUE(runner->Run().ok());
      EXPECT_EQ(runner->output(0).as<int32_t>()[2], want);
    }
    ASSERT_TRUE(runner->Reset().ok());
    ASSERT_TRUE(runner->Run().ok());
    EXPECT_EQ(runner->output(0).as<int32_t>()[2], 0);
  }
}

TEST(Runner, FailedRunLeavesVariablesAsBefore) {
  const auto bytes = CounterModel(true);
  const Model model = OpenSmall(bytes);
  auto runner = Runner::Create(model);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  auto in = runner->input(0).as<int32_t>();
  std::fill(in.begin(), in.end(), 3);
  ASSERT_TRUE(runner->Run().ok());  // total 3
  in[0] = 0;                        // division by zero; the assignment already happened
  const Status failed = runner->Run();
  EXPECT_EQ(failed.code(), StatusCode::kRuntime);
  EXPECT_NE(failed.message().find("divide"), std::string::npos) << failed.message();
  std::fill(in.begin(), in.end(), 1);
  ASSERT_TRUE(runner->Run().ok());
  EXPECT_EQ(runner->output(0).as<int32_t>()[1], 3);
}

// Storage with bias 128 (decisions.md 14) computes the same canonical values, tensor by tensor.
TEST(Plan, BiasedStorageGivesTheSameOutputs) {
  const auto bytes = SmallNetwork();
  const Model model = OpenSmall(bytes);
  auto run = [&](int32_t bias) {
    auto impl = std::make_unique<Runner::Impl>(model);
    auto graph = BuildGraph(*model.impl()->file, {});
    EXPECT_TRUE(graph.ok());
    impl->graph = std::move(graph).value();
    PlanOptions options;
    options.act_bias = bias;
    auto plan = BuildPlan(impl->graph, options);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    impl->plan = std::move(plan).value();
    EXPECT_TRUE(impl->Allocate().ok());
    EXPECT_TRUE(impl->Bind().ok());
    impl->BindInterface();
    Runner runner(std::move(impl));
    auto in = runner.input(0).bytes();
    std::iota(in.begin(), in.end(), uint8_t{9});
    EXPECT_TRUE(runner.Run().ok());
    const auto out = runner.output(0).bytes();
    return std::vector<uint8_t>(out.begin(), out.end());
  };
  EXPECT_EQ(run(0), run(128));
}

}  // namespace
}  // namespace whit
