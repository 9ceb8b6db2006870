// Measured choices: the text is parsed like a model, and no choice changes an integer byte.
#include "runtime/tuning.h"

#include <gtest/gtest.h>

#include "runtime/impl.h"
#include "runtime/whit.h"
#include "tests/runtime/model_builder.h"

namespace whit {
namespace {

constexpr const char* kText =
    "whit-tuning 1\nmodel 00\ncpu 11\ntier avx2\nthreads 2\nstep 0 panel -1 2 1500\nstep 3 scalar "
    "0 "
    "1 99\nend\n";

TEST(Tuning, RoundTrip) {
  const auto tuning = ParseTuning(kText, 4);
  ASSERT_TRUE(tuning.ok()) << tuning.status().message();
  EXPECT_EQ(tuning->tier, "avx2");
  EXPECT_EQ(tuning->threads, 2);
  ASSERT_EQ(tuning->steps.size(), 2u);
  EXPECT_EQ(tuning->steps[0].implementation, "panel");
  EXPECT_EQ(tuning->steps[0].block_shift, -1);
  EXPECT_EQ(FormatTuning(*tuning), kText);
}

TEST(Tuning, RefusesWhatIsNoTuning) {
  const std::string good = kText;
  for (size_t cut = 0; cut + 1 < good.size(); ++cut) {  // only the last line break may be missing
    EXPECT_FALSE(ParseTuning(good.substr(0, cut), 4).ok()) << cut;
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return ParseTuning(text, 4).ok();
  };
  EXPECT_TRUE(with("1500", "1501"));
  EXPECT_FALSE(with("tuning 1", "tuning 2"));
  EXPECT_FALSE(with("step 3", "step 4"));  // no such node
  EXPECT_FALSE(with("step 3", "step 0"));  // not ascending
  EXPECT_FALSE(with("step 3", "step -1"));
  EXPECT_FALSE(with("panel -1", "panel -4"));  // shift out of range
  EXPECT_FALSE(with("2 1500", "0 1500"));      // no thread
  EXPECT_FALSE(with("2 1500", "257 1500"));
  EXPECT_FALSE(with("1500", "1500x"));
  EXPECT_FALSE(with("1500", "99999999999999999999"));
  EXPECT_FALSE(with("threads 2", "threads"));
  EXPECT_FALSE(with("end\n", "end\nstep"));
  EXPECT_FALSE(with("tier avx2", "tier " + std::string(100, 'x')));
}

std::vector<uint8_t> RunOnce(const Model& model, const RunnerOptions& options, std::string* note) {
  auto runner = Runner::Create(model, options);
  EXPECT_TRUE(runner.ok()) << runner.status().message();
  if (!runner.ok()) return {};
  *note = runner->tuning_note();
  auto in = runner->input(0).bytes();
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37);
  EXPECT_TRUE(runner->Run().ok());
  const auto out = runner->output(0).bytes();
  return {out.begin(), out.end()};
}

TEST(Tuning, EveryChoiceGivesTheSameBytes) {
  const auto bytes = SmallNetwork();
  auto model = Model::OpenBytes(bytes);
  ASSERT_TRUE(model.ok());
  std::string note;
  RunnerOptions options;
  options.threads = 3;
  const auto want = RunOnce(*model, options, &note);
  EXPECT_EQ(note, "");

  Tuning tuning;
  tuning.model = ModelDigest(*model->impl()->file);
  tuning.cpu = CpuDigest();
  tuning.threads = 3;
  for (const Tier& tier : CpuTiers()) {
    if (!tier.usable) continue;
    tuning.tier = options.isa = tier.name;
    for (const char* name : {"panel", "scalar", "nonsense"}) {
      for (int shift : {-3, -1, 2}) {
        tuning.steps.clear();
        for (int node : {0, 1, 3, 4}) tuning.steps.push_back({node, name, shift, 2, 0});
        options.tuning = FormatTuning(tuning);
        EXPECT_EQ(RunOnce(*model, options, &note), want) << tier.name << " " << name << shift;
        EXPECT_EQ(note, "used");
      }
    }
  }
}

TEST(Tuning, OfAnotherCaseIsNotUsed) {
  const auto bytes = SmallNetwork();
  auto model = Model::OpenBytes(bytes);
  ASSERT_TRUE(model.ok());
  RunnerOptions options;
  auto tuned = Tune(*model, {.run = options, .runs = 4, .fill = {}, .progress = {}});
  ASSERT_TRUE(tuned.ok()) << tuned.status().message();
  options.tuning = *tuned;
  std::string note;
  RunOnce(*model, options, &note);
  EXPECT_EQ(note, "used");
  options.threads = 2;
  RunOnce(*model, options, &note);
  EXPECT_EQ(note, "not used: made for 1 threads");
  options.threads = 1;
  options.isa = "scalar";
  RunOnce(*model, options, &note);
  EXPECT_TRUE(note == "used" || note.starts_with("not used: made for tier")) << note;
  options.isa.clear();
  options.tuning.replace(options.tuning.find("cpu ") + 4, 1, "x");
  RunOnce(*model, options, &note);
  EXPECT_EQ(note, "not used: made on another CPU");
  options.tuning = "whit-tuning 1\n";
  EXPECT_FALSE(Runner::Create(*model, options).ok());
}

}  // namespace
}  // namespace whit
