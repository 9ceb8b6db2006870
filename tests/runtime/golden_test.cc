// Golden samples: equal on every tier, and a wrong kernel is called by its node's name.
#include "runtime/golden.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "schema/file_parts.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

class GoldenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
  }
};

std::vector<std::byte> NoiseBytes(size_t size, uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng());
  return bytes;
}

Result<std::unique_ptr<GoldenRunner>> PlainRunner(const Model& model) {
  RunnerOptions options;
  options.plain = true;
  return GoldenRunner::Create(model, options);
}

// `file` with two samples, changed by `change`.
std::vector<std::byte> WithGolden(std::span<const std::byte> file,
                                  const std::function<void(fbs::GoldenT&)>& change = {}) {
  const auto model = Model::OpenBytes(file);
  EXPECT_TRUE(model.ok()) << model.status().message();
  auto plain = PlainRunner(*model);
  fbs::TrustT trust;
  trust.tree = NewHashTree();
  for (uint32_t seed : {1u, 2u}) {
    const auto inputs = NoiseBytes((*plain)->runner().input(0).data.size(), seed);
    auto golden = (*plain)->Take("noise " + std::to_string(seed), inputs);
    EXPECT_TRUE(golden.ok()) << golden.status().message();
    trust.golden.push_back(std::make_unique<fbs::GoldenT>(*golden));
  }
  if (change) change(*trust.golden[1]);
  const auto parts = PartsOf(*model->impl()->file);
  EXPECT_TRUE(parts->Finish(&trust).ok());
  return parts->Bytes();
}

TEST_F(GoldenTest, EveryTierGivesTheSameBytes) {
  const auto file = WithGolden(SmallNetwork());
  const auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(Describe(*model).golden_samples, 2u);
  for (const Tier& tier : CpuTiers()) {
    for (int threads : {1, 3}) {
      if (!tier.usable) continue;
      RunnerOptions options;
      options.isa = tier.name;
      options.threads = threads;
      options.split_always = true;
      const auto results = ReplayGolden(*model, options);
      ASSERT_TRUE(results.ok()) << results.status().message();
      ASSERT_EQ(results->size(), 2u);
      for (const GoldenResult& r : *results) {
        EXPECT_TRUE(r.equal) << tier.name << ": " << r.sample << " at node " << r.node;
      }
    }
  }
}

// A kernel that is wrong in one byte.
KernelFn g_right = nullptr;
KernelCode Wrong(const RunContext& ctx) {
  const KernelCode code = g_right(ctx);
  if (ctx.tasks.begin == 0) *ctx.out[0].mut<uint8_t>() ^= 1;
  return code;
}

// Every step of every tier in turn, fused ones among them: also where the wrong byte does not
// reach the outputs, it is the node that is named if they differ.
TEST_F(GoldenTest, AWrongKernelIsNamed) {
  const auto file = WithGolden(SmallNetwork());
  const auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok());
  size_t named = 0;
  for (const Tier& tier : CpuTiers()) {
    if (!tier.usable) continue;
    RunnerOptions options;
    options.isa = tier.name;
    const auto golden = GoldenRunner::Create(*model, options);
    ASSERT_TRUE(golden.ok());
    auto& steps = const_cast<Plan&>((*golden)->runner().impl().plan).steps;
    for (Step& step : steps) {
      if (step.node < 0) continue;
      g_right = std::exchange(step.prepared.run, &Wrong);
      const auto result = (*golden)->Replay(*model->impl()->file->trust()->golden()->Get(0));
      step.prepared.run = g_right;
      ASSERT_TRUE(result.ok()) << result.status().message();
      if (result->equal) continue;
      EXPECT_EQ(result->node, step.name) << tier.name;
      EXPECT_EQ(result->op, step.op);
      EXPECT_TRUE(result->repeats);
      ++named;
    }
    EXPECT_TRUE((*golden)->Replay(*model->impl()->file->trust()->golden()->Get(0))->equal);
  }
  EXPECT_GE(named, 3u);
}

// Branches side by side in channels: their rows lie with gaps in the concatenation's memory.
std::vector<std::byte> Branches() {
  ModelBuilder b;
  std::mt19937 rng(5);
  const auto tensor = [&](const char* name, uint32_t channels) {
    return b.Tensor(name, {fbs::DType::int8, {2, 6, 5, channels}, 0.05f, -3});
  };
  const int x = tensor("x", 16), a = tensor("a", 24), c = tensor("c", 16), sum = tensor("sum", 16);
  const int whole = tensor("whole", 40), y = tensor("y", 10);
  b.Conv("a", x, a, 3, &rng);
  b.Conv("c", x, c, 1, &rng);
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {c, x}, {sum});
  fbs::AxisOptionsT axis;
  axis.axis = 3;
  b.Op("concat", fbs::Options::Concatenation, axis, {a, sum}, {whole});
  b.Conv("y", whole, y, 1, &rng);
  b.Input(x, fbs::DType::int8);
  b.Output(y, fbs::DType::int8);
  return b.Finish();
}

// The promise is another one, the arithmetic is right: so every operator that is seen, fused, in
// gaps or shifted, gives what the plain one gave, and none is named.
TEST_F(GoldenTest, AnotherDigestIsADifference) {
  for (const auto& network : {SmallNetwork(), Branches()}) {
    const auto file = WithGolden(network, [](auto& g) { g.output_digests[7] ^= 1; });
    const auto model = Model::OpenBytes(file);
    ASSERT_TRUE(model.ok()) << model.status().message();
    for (const Tier& tier : CpuTiers()) {
      if (!tier.usable) continue;
      RunnerOptions options;
      options.isa = tier.name;
      const auto results = ReplayGolden(*model, options);
      ASSERT_TRUE(results.ok()) << results.status().message();
      EXPECT_TRUE((*results)[0].equal);
      EXPECT_FALSE((*results)[1].equal);
      EXPECT_EQ((*results)[1].node, "") << tier.name;
      EXPECT_EQ((*results)[1].output, model->outputs()[0].name);
    }
  }
}

TEST_F(GoldenTest, FloatModelsAreRefused) {
  ModelBuilder b;
  const ModelBuilder::TensorSpec spec{fbs::DType::float32, {1, 8}};
  const int x = b.Tensor("x", spec), y = b.Tensor("y", spec);
  b.Op("curve", fbs::Options::Exp, fbs::UnaryOptionsT(), {x}, {y});
  b.Input(x, fbs::DType::float32);
  b.Output(y, fbs::DType::float32);
  const auto file = b.Finish();
  const auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto plain = PlainRunner(*model);
  ASSERT_TRUE(plain.ok());
  const Status status = (*plain)->Take("x", NoiseBytes(32, 1)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("node 'curve'"), std::string::npos) << status.message();
}

TEST_F(GoldenTest, OtherDimensionsOrNoSamples) {
  const auto file = WithGolden(SmallNetwork(4));
  const auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE(ReplayGolden(*model).ok());
  RunnerOptions options;
  options.dims = {{"batch", 3}};
  EXPECT_EQ(ReplayGolden(*model, options).status().code(), StatusCode::kInvalidArgument);
  const auto without = SmallNetwork();
  EXPECT_EQ(ReplayGolden(*Model::OpenBytes(without)).status().code(), StatusCode::kInvalidModel);
}

}  // namespace
}  // namespace whit
