// Bits that flip in memory after they were checked: found by the scrubber, repaired from storage.
#include "runtime/scrubber.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "runtime/impl.h"
#include "runtime/whit.h"
#include "tests/runtime/flipped.h"
#include "tests/runtime/model_builder.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

class ScrubberTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
    bytes_ = Signed(SmallNetwork());
  }
  std::vector<std::byte> bytes_;
};

std::span<const std::byte> WeightsOf(const Model& model) {
  return model.impl()->file->weights_section();
}

std::span<const std::byte> Original(const Model& model, std::span<const std::byte> file) {
  const auto at = WeightsOf(model).data() - model.impl()->file->file().data();
  return file.subspan(static_cast<size_t>(at), WeightsOf(model).size());
}

std::vector<uint8_t> OutputOf(Runner* runner) {
  auto in = runner->input(0).bytes();
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37);
  const Status status = runner->Run();
  EXPECT_TRUE(status.ok()) << status.message();
  const auto out = runner->output(0).bytes();
  return {out.begin(), out.end()};
}

RunnerOptions WithoutScrubber() {
  RunnerOptions options;
  options.scrub_share = 0;
  return options;
}

// Every way in that has storage behind it; in each the weights end at the same addresses.
TEST_F(ScrubberTest, RepairsEveryBitWhereItLies) {
  std::vector<std::byte> archive(4100);  // a model inside another file, at no page boundary
  archive.insert(archive.end(), bytes_.begin(), bytes_.end());
  const FileOnDisk file(bytes_), packed(archive);
  for (Residency residency : {Residency::kMap, Residency::kRead, Residency::kLock}) {
    for (const FileOnDisk* from : {&file, &packed}) {
      OpenOptions open;
      open.residency = residency;
      const bool whole = from == &file;
      auto model = Model::Open(from->path(), open, whole ? 0 : 4100, whole ? 0 : bytes_.size());
      if (residency == Residency::kLock && model.status().code() == StatusCode::kOverBudget)
        continue;
      ASSERT_TRUE(model.ok()) << model.status().message();
      auto runner = Runner::Create(*model, WithoutScrubber());
      ASSERT_TRUE(runner.ok());
      const auto want = OutputOf(&*runner);
      const auto weights = WeightsOf(*model), right = Original(*model, bytes_);
      uint64_t flips = 0;
      for (uint64_t bit = 0; bit < 8 * weights.size(); bit += 1009, ++flips) {
        FlipBit(weights, bit);
        ASSERT_FALSE(std::ranges::equal(weights, right));
        const auto report = model->Scrub();
        ASSERT_TRUE(report.ok()) << report.status().message();
        ASSERT_EQ(report->repaired, 1u) << bit;
        ASSERT_TRUE(std::ranges::equal(weights, right)) << bit;
      }
      EXPECT_EQ(model->scrubbed().repaired, flips);
      EXPECT_EQ(OutputOf(&*runner), want);
      EXPECT_EQ(model->Scrub()->repaired, 0u);
    }
  }
}

TEST_F(ScrubberTest, WithoutStorageItReportsAndStops) {
  auto memory = bytes_;
  auto model = Model::OpenBytes(memory);
  ASSERT_TRUE(model.ok());
  auto runner = Runner::Create(*model, WithoutScrubber());
  ASSERT_TRUE(runner.ok());
  OutputOf(&*runner);
  memory[static_cast<size_t>(WeightsOf(*model).data() - memory.data()) + 7] ^= std::byte{64};
  const Status status = model->Scrub().status();
  EXPECT_EQ(status.code(), StatusCode::kIntegrity);
  EXPECT_NE(status.message().find("weights, page 1 "), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("no repair"), std::string::npos) << status.message();
}

TEST_F(ScrubberTest, BadStorageStopsTheRun) {
  const FileOnDisk file(bytes_);
  auto model = Model::Open(file.path());
  ASSERT_TRUE(model.ok());
  RunnerOptions options;
  options.scrub_share = 1;
  auto runner = Runner::Create(*model, options);
  ASSERT_TRUE(runner.ok());
  OutputOf(&*runner);
  const auto weights = WeightsOf(*model);
  const std::byte bad[] = {weights[5] ^ std::byte{1}};
  file.Write(static_cast<uint64_t>(weights.data() - model->impl()->file->file().data()) + 5, bad);
  Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = runner->Run();
  EXPECT_EQ(status.code(), StatusCode::kIntegrity);
  EXPECT_NE(status.message().find("in storage"), std::string::npos) << status.message();
}

TEST_F(ScrubberTest, RunsScrubForTheirShareOfTime) {
  const FileOnDisk file(bytes_);
  std::string said;
  OpenOptions open;
  open.log = [&](int, std::string_view message) { said = message; };
  auto model = Model::Open(file.path(), open);
  ASSERT_TRUE(model.ok());
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok());
  const auto want = OutputOf(&*runner);
  FlipBit(WeightsOf(*model), 12345);
  for (int i = 0; i < 100000 && model->scrubbed().repaired == 0; ++i)
    ASSERT_TRUE(runner->Run().ok());
  EXPECT_EQ(model->scrubbed().repaired, 1u);
  EXPECT_NE(said.find("was repaired from storage"), std::string::npos) << said;
  EXPECT_EQ(OutputOf(&*runner), want);
}

// Nothing is recorded of them yet, and the tree will judge.
TEST_F(ScrubberTest, PagesThatWereNeverReadAreLeftToTheirFirstUse) {
  const FileOnDisk file(bytes_);
  auto model = Model::Open(file.path());
  ASSERT_TRUE(model.ok());
  FlipBit(WeightsOf(*model), 99);
  EXPECT_EQ(model->Scrub()->repaired, 0u);
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok());
  EXPECT_EQ(runner->Run().code(), StatusCode::kIntegrity);
}

TEST_F(ScrubberTest, ThreadsScrubAndRunTogether) {
  const FileOnDisk file(bytes_);
  auto model = Model::Open(file.path());
  ASSERT_TRUE(model.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      RunnerOptions options;
      options.scrub_share = 1;
      auto runner = Runner::Create(*model, options);
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(runner->Run().ok());
        EXPECT_TRUE(model->Scrub(1).ok());
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_GT(model->scrubbed().pages, 150u);
}

TEST_F(ScrubberTest, WhatCannotBeScrubbedSaysSo) {
  const auto plain = SmallNetwork();
  auto model = Model::OpenBytes(plain);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->Scrub().status().code(), StatusCode::kUnsupported);
  RunnerOptions options;
  EXPECT_TRUE(Runner::Create(*model, options)->Run().ok());
  options.scrub_share = 2;
  EXPECT_EQ(Runner::Create(*model, options).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace whit
