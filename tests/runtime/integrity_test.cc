// The hash tree and the signature of a model: what is changed is refused before there is an output.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "runtime/impl.h"
#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"
#include "tests/runtime/run_bytes.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

constexpr size_t kPage = format::kWeightsAlignment;

class IntegrityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
  }
};

TEST_F(IntegrityTest, ASignedModelRunsAndChecksEveryPageOnce) {
  const auto plain = SmallNetwork(), file = Signed(plain);
  ASSERT_GT(file.size(), plain.size());
  const auto want = RunBytes(plain);
  ASSERT_TRUE(want.ok()) << want.status().message();
  for (int threads : {1, 3}) {
    const auto got = RunBytes(file, {}, threads);
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ(*got, *want);
  }
  auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok());
  const PageChecker& pages = *model->impl()->pages;
  EXPECT_EQ(pages.checked(), 1u);  // header and graph
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok() && runner->Run().ok());
  EXPECT_EQ(pages.checked(), pages.pages());
  EXPECT_EQ(Describe(*model).signer, ToHex(TestKey().public_key()));
}

TEST_F(IntegrityTest, FullChecksAtOpen) {
  const auto file = Signed(SmallNetwork());
  OpenOptions full;
  full.integrity = Integrity::kFull;
  auto model = Model::OpenBytes(file, full);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->impl()->pages->checked(), model->impl()->pages->pages());
  auto damaged = file;
  damaged[kPage + 5] ^= std::byte{1};
  const Status status = Model::OpenBytes(damaged, full).status();
  EXPECT_EQ(status.code(), StatusCode::kIntegrity);
  EXPECT_NE(status.message().find("weights, page 1 (bytes 16384 to "), std::string::npos)
      << status.message();
}

TEST_F(IntegrityTest, AChangedWeightEndsTheRunAndNamesItsNode) {
  auto file = Signed(SmallNetwork());
  file[kPage + 5] ^= std::byte{1};
  auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  for (int i = 0; i < 2; ++i) {  // the second run does not take it for checked
    const Status status = runner->Run();
    EXPECT_EQ(status.code(), StatusCode::kIntegrity);
    EXPECT_NE(status.message().find("node 'conv1' (Conv2D"), std::string::npos) << status.message();
  }
  OpenOptions off;
  off.integrity = Integrity::kOff;
  EXPECT_TRUE(RunBytes(file, off).ok());
}

TEST_F(IntegrityTest, EveryFlippedBitIsRefused) {
  const auto original = Signed(SmallNetwork());
  auto file = original;
  // All bits; where that is slow an odd stride that meets every part.
#ifdef WHIT_SLOW
  constexpr size_t kStride = 211;
#else
  constexpr size_t kStride = 1;
#endif
  for (size_t bit = 0; bit < file.size() * 8; bit += kStride) {
    const std::byte mask{static_cast<uint8_t>(1u << bit % 8)};
    file[bit / 8] ^= mask;
    ASSERT_FALSE(RunBytes(file).ok()) << "byte " << bit / 8 << " bit " << bit % 8;
    file[bit / 8] ^= mask;
  }
  EXPECT_EQ(file, original);
}

TEST_F(IntegrityTest, EveryTruncationAndSwapOfPagesIsRefused) {
  const auto file = Signed(SmallNetwork());
  for (size_t size = 0; size < file.size(); ++size)
    ASSERT_FALSE(RunBytes(std::span(file).first(size)).ok()) << size;
  for (size_t a = 0; a < file.size(); a += 4096) {
    for (size_t b = a + 4096; b + 4096 <= file.size(); b += 4096) {
      auto swapped = file;
      std::swap_ranges(swapped.begin() + static_cast<ptrdiff_t>(a),
                       swapped.begin() + static_cast<ptrdiff_t>(a + 4096),
                       swapped.begin() + static_cast<ptrdiff_t>(b));
      if (swapped != file) {
        ASSERT_FALSE(RunBytes(swapped).ok()) << a << " and " << b;
      }
    }
  }
}

TEST_F(IntegrityTest, RequiredKeys) {
  const auto plain = SmallNetwork(), file = Signed(plain);
  OpenOptions options;
  options.required_keys = {std::string(64, '1'), ToHex(TestKey().public_key())};
  EXPECT_TRUE(Model::OpenBytes(file, options).ok());
  EXPECT_EQ(Model::OpenBytes(plain, options).status().code(), StatusCode::kIntegrity);
  options.required_keys.pop_back();
  const Status other = Model::OpenBytes(file, options).status();
  EXPECT_EQ(other.code(), StatusCode::kIntegrity);
  EXPECT_NE(other.message().find("none of the 1"), std::string::npos) << other.message();
  options.required_keys = {"no key"};
  EXPECT_EQ(Model::OpenBytes(file, options).status().code(), StatusCode::kInvalidArgument);
  options.integrity = Integrity::kOff;
  EXPECT_EQ(Model::OpenBytes(file, options).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(IntegrityTest, ASecondSignatureReplacesTheFirst) {
  const auto once = Signed(SmallNetwork()), twice = Signed(once);
  EXPECT_EQ(once, twice);
}

// Start is instant because nothing reads packed weights before a run does: they cannot even be read
// here.
TEST_F(IntegrityTest, OpenAndPlanReadNoPackedWeights) {
  const auto file = Signed(SmallNetwork());
  void* memory =
      mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memcpy(memory, file.data(), file.size());
  const std::span<const std::byte> bytes(static_cast<std::byte*>(memory), file.size());
  const auto opened = *OpenBytes(bytes);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  size_t hidden = 0;
  for (const fbs::Weights* w : *opened->graph().weights()) {
    const auto blob = opened->blob(static_cast<size_t>(w->data()));
    const auto at = reinterpret_cast<uintptr_t>(blob.data());
    const uintptr_t begin = (at + page - 1) / page * page, end = (at + blob.size()) / page * page;
    if (begin >= end) continue;
    ASSERT_EQ(mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_NONE), 0);
    hidden += end - begin;
  }
  ASSERT_GT(hidden, 0u);
  for (const Tier& tier : CpuTiers()) {
    if (!tier.usable) continue;
    auto model = Model::OpenBytes(bytes);
    ASSERT_TRUE(model.ok()) << model.status().message();
    RunnerOptions options;
    options.isa = tier.name;
    EXPECT_TRUE(Runner::Create(*model, options).ok());
  }
  munmap(memory, file.size());
}

}  // namespace
}  // namespace whit
