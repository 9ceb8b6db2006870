// Self-check: the same bytes, and no wrong answer where a constant has changed in memory.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/impl.h"
#include "runtime/whit.h"
#include "tests/runtime/flipped.h"
#include "tests/runtime/model_builder.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

Status RunOnce(Runner* runner, std::vector<uint8_t>* out) {
  auto in = runner->input(0).bytes();
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37 + i / 3);
  const Status status = runner->Run();
  const auto bytes = runner->output(0).bytes();
  out->assign(bytes.begin(), bytes.end());
  return status;
}

RunnerOptions Checked(const std::string& isa, int threads = 1) {
  RunnerOptions options;
  options.isa = isa;
  options.threads = threads;
  options.split_always = threads > 1;
  options.self_check = true;
  options.scrub_share = 0;
  return options;
}

std::vector<std::string> UsableTiers() {
  std::vector<std::string> names;
  for (const Tier& tier : CpuTiers()) {
    if (tier.usable) names.push_back(tier.name);
  }
  return names;
}

TEST(SelfCheck, GivesTheSameBytesOnEveryTier) {
  const auto file = SmallNetwork();
  const auto model = Model::OpenBytes(file);
  ASSERT_TRUE(model.ok());
  std::vector<uint8_t> want, got;
  RunnerOptions oracle;
  oracle.plain = true;
  auto plain = Runner::Create(*model, oracle);
  ASSERT_TRUE(plain.ok() && RunOnce(&*plain, &want).ok());
  for (const std::string& isa : UsableTiers()) {
    for (int threads : {1, 2, 3}) {
      auto runner = Runner::Create(*model, Checked(isa, threads));
      ASSERT_TRUE(runner.ok()) << runner.status().message();
      for (int i = 0; i < 3; ++i) {
        const Status status = RunOnce(&*runner, &got);
        ASSERT_TRUE(status.ok()) << isa << " " << status.message();
        EXPECT_EQ(got, want) << isa;
      }
      EXPECT_EQ(runner->repeated_runs(), 0u);
    }
  }
}

TEST(SelfCheck, ProductsProveTheirSumsWhereATierHasKernels) {
  const auto file = SmallNetwork();
  const auto model = Model::OpenBytes(file);
  for (const std::string& isa : UsableTiers()) {
    const auto runner = Runner::Create(*model, Checked(isa));
    ASSERT_TRUE(runner.ok());
    size_t proved = 0, checked = 0;
    for (const Step& step : runner->impl().plan.steps) {
      proved += !step.prepared.proved.empty();
      checked += step.prepared.checks_itself;
    }
    EXPECT_EQ(proved, isa == "scalar" ? 0u : 3u) << isa;
    EXPECT_EQ(checked, proved) << isa;
  }
}

// Bits of everything that is mapped: with storage behind it the run heals itself and the answer is
// right, at the same addresses.
TEST(SelfCheck, FlippedConstantsAreRepairedInTheSameRun) {
  if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
  const auto bytes = Signed(SmallNetwork());
  const FileOnDisk file(bytes);
  for (const std::string& isa : UsableTiers()) {
    auto model = Model::Open(file.path());
    ASSERT_TRUE(model.ok());
    auto runner = Runner::Create(*model, Checked(isa));
    ASSERT_TRUE(runner.ok()) << runner.status().message();
    auto memory = bytes;  // the same file, where nobody looks
    OpenOptions off;
    off.integrity = Integrity::kOff;
    RunnerOptions bare_options;
    bare_options.isa = isa;
    auto bare_model = Model::OpenBytes(memory, off);
    auto bare = Runner::Create(*bare_model, bare_options);
    ASSERT_TRUE(bare.ok());
    std::vector<uint8_t> want, got, wrong;
    ASSERT_TRUE(RunOnce(&*runner, &want).ok());
    const auto weights = model->impl()->file->weights_section();
    const auto offset = static_cast<size_t>(weights.data() - model->impl()->file->file().data());
    uint64_t changed = 0, missed = 0;
    for (uint64_t bit = 3; bit < 8 * weights.size(); bit += 61) {
      const std::byte mask{static_cast<uint8_t>(1u << bit % 8)};
      memory[offset + bit / 8] ^= mask;
      const bool differs = !RunOnce(&*bare, &wrong).ok() || wrong != want;
      memory[offset + bit / 8] ^= mask;
      FlipBit(weights, bit);
      const uint64_t before = runner->repeated_runs();
      const Status status = RunOnce(&*runner, &got);
      ASSERT_TRUE(status.ok()) << isa << " " << bit << " " << status.message();
      changed += differs;
      missed += differs && runner->repeated_runs() == before;
      if (runner->repeated_runs() > before) {
        ASSERT_EQ(got, want) << isa << " " << bit;
        ASSERT_EQ(weights[bit / 8], bytes[offset + bit / 8]) << bit;
      } else {
        FlipBit(weights, bit);
      }
    }
    EXPECT_GT(changed, 100u);
    const bool is_signed = isa.rfind("neon", 0) == 0;  // docs/trust.md
    EXPECT_LE(missed, is_signed ? changed / 50 : 0) << isa;
  }
}

TEST(SelfCheck, WithoutStorageTheRunEndsAndNamesTheNode) {
  auto memory = SmallNetwork();
  auto model = Model::OpenBytes(memory);
  ASSERT_TRUE(model.ok());
  for (const std::string& isa : UsableTiers()) {
    auto runner = Runner::Create(*model, Checked(isa));
    ASSERT_TRUE(runner.ok());
    std::vector<uint8_t> out;
    ASSERT_TRUE(RunOnce(&*runner, &out).ok());
    auto* weights = const_cast<std::byte*>(
        reinterpret_cast<const std::byte*>(model->impl()->graph.weights[0].data));
    weights[0] ^= std::byte{128};
    const Status status = RunOnce(&*runner, &out);
    weights[0] ^= std::byte{128};
    EXPECT_EQ(status.code(), StatusCode::kIntegrity) << isa;
    EXPECT_NE(status.message().find("node 'conv1' (Conv2D"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("twice"), std::string::npos) << status.message();
    EXPECT_EQ(runner->repeated_runs(), 1u);
    EXPECT_TRUE(RunOnce(&*runner, &out).ok()) << "the accident is over";
  }
}

}  // namespace
}  // namespace whit
