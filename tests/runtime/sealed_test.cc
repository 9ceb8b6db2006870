// Sealed models: the same outputs with the key, nothing without, and never more plaintext than the
// window.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "runtime/impl.h"
#include "runtime/whit.h"
#include "schema/seal.h"
#include "tests/runtime/model_builder.h"
#include "tests/runtime/run_bytes.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

constexpr uint64_t kSealPage = format::kWeightsAlignment;

OpenOptions WithKey(const SealKey& key, uint64_t window = 0) {
  OpenOptions options;
  options.window_bytes = window;
  options.key_callback = [key](std::string_view id, std::span<uint8_t> to) {
    std::memcpy(to.data(), key.data(), key.size());
    return id == "vault";
  };
  return options;
}

// Ten convolutions one after the other, their weights longer than a page each: 10 x 36 KiB.
std::vector<std::byte> DeepNetwork() {
  ModelBuilder builder;
  std::mt19937 rng(5);
  int at = builder.Tensor("in", {fbs::DType::int8, {1, 6, 6, 64}, 0.05f, 3});
  builder.Input(at, fbs::DType::int8);
  for (int i = 0; i < 10; ++i) {
    const int next =
        builder.Tensor("t" + std::to_string(i), {fbs::DType::int8, {1, 6, 6, 64}, 0.05f, i - 4});
    builder.Conv("conv" + std::to_string(i), at, next, 3, &rng);
    at = next;
  }
  builder.Output(at, fbs::DType::int8);
  return builder.Finish();
}

class SealedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
  }
};

constexpr int kRuns = 3;  // what stays open is used again

TEST_F(SealedTest, TheSameOutputsInEveryWindow) {
  const auto plain = DeepNetwork(), file = Sealed(plain);
  const auto want = RunBytes(plain, {}, 1, kRuns);
  ASSERT_TRUE(want.ok()) << want.status().message();
  for (const uint64_t window : {uint64_t{0}, 7 * kSealPage, 20 * kSealPage, uint64_t{1} << 30}) {
    for (const int threads : {1, 3}) {
      auto model = Model::OpenBytes(file, WithKey(TestSealKey(), window));
      ASSERT_TRUE(model.ok()) << model.status().message();
      const auto got = RunBytes(*model, threads, kRuns);
      ASSERT_TRUE(got.ok()) << got.status().message();
      EXPECT_EQ(*got, *want) << window;
      const SealedUse use = UseOfSealed(*model);
      EXPECT_GT(use.most_plain_bytes, 0u);
      EXPECT_LE(use.most_plain_bytes, use.window_bytes);
      const uint64_t weights = Describe(*model).weight_bytes;
      if (window == 0) {
        EXPECT_LT(use.window_bytes, weights / 2);
      }
      if (window > weights) {
        EXPECT_LE(use.opened_bytes, weights + kSealPage);  // once for all runs
      }
    }
  }
}

TEST_F(SealedTest, ALargerWindowOpensLess) {
  const auto file = Sealed(DeepNetwork());
  uint64_t before = UINT64_MAX;
  for (const uint64_t pages : {7, 11, 16, 23}) {
    auto model = Model::OpenBytes(file, WithKey(TestSealKey(), pages * kSealPage));
    ASSERT_TRUE(model.ok() && RunBytes(*model, 1, kRuns).ok());
    const uint64_t opened = UseOfSealed(*model).opened_bytes;
    EXPECT_LT(opened, before);
    before = opened;
  }
}

TEST_F(SealedTest, RunnersShareTheWindow) {
  const auto plain = DeepNetwork(), file = Sealed(plain);
  const auto want = RunBytes(plain, {}, 1, kRuns);
  auto model = Model::OpenBytes(file, WithKey(TestSealKey()));
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::vector<std::thread> threads;
  std::vector<std::vector<uint8_t>> got(4);
  for (size_t i = 0; i < got.size(); ++i) {
    threads.emplace_back([&, i] {
      auto out = RunBytes(*model, 1, kRuns);
      if (out.ok()) got[i] = *out;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& out : got) EXPECT_EQ(out, *want);
  const SealedUse use = UseOfSealed(*model);
  EXPECT_LE(use.most_plain_bytes, use.window_bytes);
}

TEST_F(SealedTest, NothingWithoutTheKey) {
  const auto file = Sealed(SmallNetwork());
  Status status = Model::OpenBytes(file).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("sealed (encrypted) under key 'vault'"), std::string::npos);
  EXPECT_FALSE(ModelFile::Open(Mapping::Borrow(file)).ok());  // what reads weights itself
  SealKey wrong = TestSealKey();
  wrong[31] ^= std::byte{1};
  status = Model::OpenBytes(file, WithKey(wrong)).status();
  EXPECT_EQ(status.code(), StatusCode::kIntegrity);
  EXPECT_NE(status.message().find("the key that was given is not the one, 'vault'"),
            std::string::npos);
  OpenOptions nobody;
  nobody.key_callback = [](std::string_view, std::span<uint8_t>) { return false; };
  status = Model::OpenBytes(file, nobody).status();
  EXPECT_NE(status.message().find("key_callback has no such key"), std::string::npos);
}

TEST_F(SealedTest, AWindowThatIsTooSmallIsRefusedWithBothNumbers) {
  const auto file = Sealed(DeepNetwork());
  const Status status = RunBytes(file, WithKey(TestSealKey(), kSealPage), 1, kRuns).status();
  EXPECT_EQ(status.code(), StatusCode::kOverBudget);
  EXPECT_NE(status.message().find("node 'conv"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("the window has 16384"), std::string::npos) << status.message();
}

TEST_F(SealedTest, NoPlainPageOfTheFileIsInIt) {
  const auto plain = DeepNetwork(), file = Sealed(plain);
  auto opened = ModelFile::Open(Mapping::Borrow(plain));
  ASSERT_TRUE(opened.ok());
  const auto weights = (*opened)->weights_section();
  for (size_t at = 0; at + 32 <= weights.size(); at += 4096) {
    const auto piece = weights.subspan(at, 32);
    if (std::ranges::count(piece, std::byte{0}) == 32) continue;  // padding
    EXPECT_TRUE(std::ranges::search(file, piece).empty()) << at;
  }
}

// Whoever may write the file may compute a new tree, but no tag.
TEST_F(SealedTest, PagesThatWereChangedOrSwappedDoNotOpen) {
  auto file = Sealed(DeepNetwork());
  OpenOptions off = WithKey(TestSealKey());
  off.integrity = Integrity::kOff;
  ASSERT_TRUE(RunBytes(file, off, 1, kRuns).ok());
  const auto first = file.begin() + 5 * kSealPage, second = file.begin() + 9 * kSealPage;
  std::swap_ranges(first, first + kSealPage, second);
  Status status = RunBytes(file, off, 1, kRuns).status();
  EXPECT_EQ(status.code(), StatusCode::kIntegrity);
  EXPECT_NE(status.message().find("sealed weights, page 4 (bytes 65536 to 81919"),
            std::string::npos)
      << status.message();
  std::swap_ranges(first, first + kSealPage, second);
  file[12 * kSealPage + 77] ^= std::byte{4};
  for (const int threads : {1, 2})
    EXPECT_EQ(RunBytes(file, off, threads, kRuns).status().code(), StatusCode::kIntegrity);
  file[12 * kSealPage + 77] ^= std::byte{4};
  EXPECT_TRUE(RunBytes(file, off, 1, kRuns).ok());
}

TEST_F(SealedTest, APageThatDoesNotOpenLeavesTheOthersRight) {
  auto file = Sealed(DeepNetwork());
  auto model = Model::OpenBytes(file, WithKey(TestSealKey()));  // borrows
  ASSERT_TRUE(model.ok());
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok() && runner->Run().ok());
  const auto out = runner->output(0).bytes();
  const std::vector<uint8_t> want(out.begin(), out.end());
  file[12 * kSealPage + 77] ^= std::byte{4};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(runner->Run().code(), StatusCode::kIntegrity);
  file[12 * kSealPage + 77] ^= std::byte{4};
  ASSERT_TRUE(runner->Run().ok());
  EXPECT_TRUE(std::ranges::equal(runner->output(0).bytes(), want));
}

TEST_F(SealedTest, EveryFlippedBitOfASignedFileIsRefused) {
  auto file = Sealed(SmallNetwork(), /*sign=*/true);
  OpenOptions options = WithKey(TestSealKey());
  options.required_keys = {ToHex(TestKey().public_key())};
  ASSERT_TRUE(RunBytes(file, options, 1, kRuns).ok());
  for (size_t bit = 0; bit < file.size() * 8; bit += 509) {  // odd: every bit of a byte in turn
    const std::byte mask{static_cast<uint8_t>(1u << bit % 8)};
    file[bit / 8] ^= mask;
    ASSERT_FALSE(RunBytes(file, options, 1, kRuns).ok()) << "byte " << bit / 8;
    file[bit / 8] ^= mask;
  }
}

TEST_F(SealedTest, UnsealedIsTheOriginal) {
  const auto plain = DeepNetwork(), sealed = Sealed(plain);
  ReadLimits limits;
  limits.allow_sealed = true;
  auto file = ModelFile::Open(Mapping::Borrow(sealed), limits);
  ASSERT_TRUE(file.ok()) << file.status().message();
  fbs::TrustT trust;
  auto made = UnsealWeights(**file, TestSealKey(), &trust);
  ASSERT_TRUE(made.ok()) << made.status().message();
  ASSERT_TRUE(made->parts->Finish(nullptr).ok());
  auto again = made->parts->Bytes();
  EXPECT_EQ(again.size() / 64, plain.size() / 64);
  EXPECT_TRUE(std::ranges::equal(std::span(again).subspan(256, plain.size() - 256 - 64),
                                 std::span(plain).subspan(256, plain.size() - 256 - 64)));
  EXPECT_EQ(UnsealWeights(**ModelFile::Open(Mapping::Borrow(plain)), TestSealKey(), &trust)
                .status()
                .code(),
            StatusCode::kUnsupported);
}

// The same weights sealed twice share no page: nonces are never used again.
TEST_F(SealedTest, SealingTwiceGivesOtherBytes) {
  const auto plain = SmallNetwork(), a = Sealed(plain), b = Sealed(plain);
  ASSERT_EQ(a.size(), b.size());
  for (size_t at = kSealPage; at + 64 <= plain.size(); at += 64)
    EXPECT_FALSE(std::equal(a.begin() + static_cast<ptrdiff_t>(at),
                            a.begin() + static_cast<ptrdiff_t>(at) + 64,
                            b.begin() + static_cast<ptrdiff_t>(at)));
}

}  // namespace
}  // namespace whit
