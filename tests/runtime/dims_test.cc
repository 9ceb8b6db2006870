// Options::dims: a model whose batch is a named dimension, run with several values of it.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

constexpr uint32_t kBound = 4;
constexpr size_t kImage = 8 * 8 * 3, kClasses = 10;

using OutputBytes = std::vector<uint8_t>;

// Image k of a batch: no two are alike.
OutputBytes ImageNumber(uint32_t k) {
  OutputBytes image(kImage);
  for (size_t i = 0; i < kImage; ++i) image[i] = static_cast<uint8_t>(11 + 53 * k + i * (37 + k));
  return image;
}

class NamedDimension : public ::testing::Test {
 protected:
  NamedDimension() : bytes_(SmallNetwork(kBound)), model_(Model::OpenBytes(bytes_)) {}

  Result<Runner> Create(uint32_t batch, RunnerOptions options = {}) {
    options.dims = {{"batch", batch}};
    return Runner::Create(*model_, options);
  }

  // Scores of images 0 .. batch - 1.
  static OutputBytes Run(Runner& runner, uint32_t batch) {
    const auto in = runner.input(0).bytes();
    EXPECT_EQ(in.size(), batch * kImage);
    for (uint32_t k = 0; k < batch; ++k) {
      const OutputBytes image = ImageNumber(k);
      std::copy(image.begin(), image.end(), in.begin() + static_cast<ptrdiff_t>(k * kImage));
    }
    const Status ran = runner.Run();
    EXPECT_TRUE(ran.ok()) << ran.message();
    const auto out = runner.output(0).bytes();
    return {out.begin(), out.end()};
  }

  // What the same network with a fixed batch of 1 says of each image.
  static OutputBytes OneByOne(uint32_t batch) {
    const auto bytes = SmallNetwork();
    auto model = Model::OpenBytes(bytes);
    EXPECT_TRUE(model.ok()) << model.status().message();
    auto runner = Runner::Create(*model);
    EXPECT_TRUE(runner.ok()) << runner.status().message();
    OutputBytes all;
    for (uint32_t k = 0; k < batch; ++k) {
      const OutputBytes image = ImageNumber(k);
      std::copy(image.begin(), image.end(), runner->input(0).bytes().begin());
      EXPECT_TRUE(runner->Run().ok());
      const auto out = runner->output(0).bytes();
      all.insert(all.end(), out.begin(), out.end());
    }
    return all;
  }

  std::vector<std::byte> bytes_;
  Result<Model> model_;
};

TEST_F(NamedDimension, EveryBatchGivesWhatItsImagesGiveAlone) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  const OutputBytes alone = OneByOne(kBound);
  ASSERT_NE(OutputBytes(alone.begin(), alone.begin() + kClasses),
            OutputBytes(alone.begin() + kClasses, alone.begin() + 2 * kClasses));
  for (uint32_t batch : {1u, 3u, kBound}) {
    const OutputBytes want(alone.begin(), alone.begin() + static_cast<ptrdiff_t>(batch * kClasses));
    for (bool plain : {false, true}) {
      for (int threads : {1, 2, 3}) {
        RunnerOptions options;
        options.plain = plain;
        options.threads = threads;
        auto runner = Create(batch, options);
        ASSERT_TRUE(runner.ok()) << runner.status().message();
        EXPECT_EQ(runner->input(0).shape[0], batch);
        EXPECT_EQ(runner->output(0).shape[0], batch);
        EXPECT_EQ(Run(*runner, batch), want)
            << "batch " << batch << ", plain " << plain << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(NamedDimension, DefaultIsTheFilesValue) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  EXPECT_EQ(model_->inputs()[0].shape[0], 1);
  auto runner = Runner::Create(*model_);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  EXPECT_EQ(Run(*runner, 1), OneByOne(1));
  const ModelInfo info = Describe(*model_);
  ASSERT_EQ(info.dims.size(), 1u);
  EXPECT_EQ(info.dims[0].name, "batch");
  EXPECT_EQ(info.dims[0].value, 1u);
  EXPECT_EQ(info.dims[0].max, kBound);
}

TEST_F(NamedDimension, MemoryFollowsTheValue) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  auto one = Create(1), all = Create(kBound);
  ASSERT_TRUE(one.ok() && all.ok());
  EXPECT_LT(one->peak_arena_bytes(), all->peak_arena_bytes());
  EXPECT_EQ(all->input(0).bytes().size(), kBound * kImage);
}

TEST_F(NamedDimension, RunnersOfOneModelDiffer) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  auto three = Create(3), one = Create(1);
  ASSERT_TRUE(three.ok() && one.ok());
  const OutputBytes alone = OneByOne(3);
  EXPECT_EQ(Run(*three, 3), alone);
  EXPECT_EQ(Run(*one, 1), OutputBytes(alone.begin(), alone.begin() + kClasses));
  EXPECT_EQ(Run(*three, 3), alone);
}

TEST_F(NamedDimension, ValuesOutsideAndUnknownNamesAreRefused) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  for (uint32_t batch : {0u, kBound + 1, UINT32_MAX}) {
    auto runner = Create(batch);
    ASSERT_FALSE(runner.ok()) << batch;
    EXPECT_EQ(runner.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(runner.status().message(),
              "dimension 'batch' = " + std::to_string(batch) + " is outside of 1..4");
  }
  RunnerOptions options;
  options.dims = {{"batches", 2}};
  auto unknown = Runner::Create(*model_, options);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(unknown.status().message(),
            "the model has no dimension named 'batches'; it has 'batch' (1..4)");
  const auto fixed_bytes = SmallNetwork();
  auto fixed = Model::OpenBytes(fixed_bytes);
  ASSERT_TRUE(fixed.ok());
  options.dims = {{"batch", 2}};
  auto none = Runner::Create(*fixed, options);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().message(), "the model has no dimension named 'batch'; it has none");
}

TEST_F(NamedDimension, BudgetsCountTheValue) {
  ASSERT_TRUE(model_.ok()) << model_.status().message();
  auto one = Create(1);
  ASSERT_TRUE(one.ok());
  OpenOptions open;
  for (const PlanStep& step : DescribePlan(*one))
    open.budgets.max_macs += static_cast<uint64_t>(step.macs);
  open.budgets.max_macs -= OpenOptions().budgets.max_macs;  // enough for one image
  auto model = Model::OpenBytes(bytes_, open);
  ASSERT_TRUE(model.ok()) << model.status().message();
  RunnerOptions options;
  options.dims = {{"batch", 2}};
  auto two = Runner::Create(*model, options);
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.status().code(), StatusCode::kOverBudget);
}

}  // namespace
}  // namespace whit
