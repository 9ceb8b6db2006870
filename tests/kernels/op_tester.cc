#include "tests/kernels/op_tester.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "kernels/pack.h"
#include "tests/kernels/guarded.h"
#include "tests/kernels/test_tiers.h"

namespace whit {

namespace {

constexpr size_t kSlack = 64;  // readable bytes behind every tensor that is not a constant

void ShiftBytes(std::vector<uint8_t>* bytes) {
  for (uint8_t& b : *bytes) b = static_cast<uint8_t>(b ^ 0x80);
}

// First difference of two results, for a message worth reading.
::testing::AssertionResult SameBytes(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " bytes";
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) {
      return ::testing::AssertionFailure()
             << "byte " << i << " of " << a.size() << " is " << int{a[i]} << " and " << int{b[i]};
    }
  }
  return ::testing::AssertionSuccess();
}

// Calls fn(0) to fn(count - 1) until one gives false; for the thread sanitizer each on a thread of
// its own, so that it sees what two ranges of one step share.
template <typename Fn>
void InTurnOrAtOnce(size_t count, Fn fn) {
#if defined(__SANITIZE_THREAD__)
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back([&fn, i] { fn(i); });
  for (std::thread& thread : threads) thread.join();
#else
  for (size_t i = 0; i < count && fn(i); ++i) {
  }
#endif
}

// Tiers share code, and a step says whose code runs.
bool IsTierOf(const std::string& shown, const simd::Tier& tier) {
  return shown == tier.name || (tier.f32 != nullptr && shown == tier.f32->tier) ||
         (tier.vector != nullptr && shown == tier.vector->tier);
}

}  // namespace

struct OpTester::Buffers {
  // Views borrow from the tensors and vectors beside them.
  std::vector<TestTensor> in, out, variables;
  std::vector<View> in_views, out_views, variable_views;
  std::unique_ptr<bool[]> present;
  int32_t act_bias = 0;

  std::vector<Guarded> memory;  // what stands in for the file

  /// A copy that ends at an unreadable page, behind as many bytes as `end` says.
  template <typename End>
  const void* Guard(const void* data, size_t bytes, End end) {
    if (data == nullptr) return nullptr;
    const auto whole = static_cast<size_t>(end(static_cast<int64_t>(bytes)));
    memory.emplace_back(bytes, whole - bytes, 0);
    std::memcpy(memory.back().data(), data, bytes);
    return memory.back().data();
  }

  static std::vector<TestTensor> Stored(const std::vector<TestTensor>& tensors, int32_t act_bias) {
    std::vector<TestTensor> stored = tensors;
    for (TestTensor& t : stored) {
      if (act_bias == 0 || !t.shiftable()) continue;
      t.type = DType::kUint8;
      ShiftBytes(&t.bytes);
      for (int32_t& z : t.zero_point) z += act_bias;
    }
    return stored;
  }
  static std::vector<View> Views(std::vector<TestTensor>* tensors, bool with_data) {
    static uint8_t no_elements;  // tensors without elements are present all the same
    std::vector<View> views;
    for (TestTensor& t : *tensors) {
      View v{.type = t.type, .shape = t.shape, .quant = {t.scale, t.zero_point, t.axis}};
      if (t.present && (with_data || t.constant))
        v.data = t.bytes.empty() ? &no_elements : t.bytes.data();
      views.push_back(v);
    }
    return views;
  }
};

OpTester& OpTester::Input(TestTensor t) {
  EXPECT_EQ(t.bytes.size(), static_cast<size_t>(t.shape.elements()) * DTypeSize(t.type))
      << "input " << inputs_.size() << ": values do not fill the shape " << t.shape.ToString();
  inputs_.push_back(std::move(t));
  return *this;
}

OpTester& OpTester::State(TestTensor t) {
  t.state = true;
  return Input(std::move(t));
}

OpTester& OpTester::Absent() {
  inputs_.push_back(TestTensor{.present = false});
  return *this;
}

OpTester& OpTester::Output(DType type, Shape shape) {
  TestTensor t{.type = type, .shape = shape};
  t.bytes.resize(static_cast<size_t>(shape.elements()) * DTypeSize(type));
  outputs_.push_back(std::move(t));
  return *this;
}

OpTester& OpTester::Output(DType type, Shape shape, float scale, int32_t zero_point) {
  Output(type, shape);
  outputs_.back().scale = {scale};
  outputs_.back().zero_point = {zero_point};
  return *this;
}

OpTester& OpTester::Variable(TestTensor t) {
  variables_.push_back(std::move(t));
  return *this;
}

int OpTester::Weights(PackedWeights w) {
  weights_.push_back(std::move(w));
  return static_cast<int>(weights_.size()) - 1;
}

OpTester& OpTester::NoShift() {
  shift_ = false;
  return *this;
}

bool OpTester::AnyShiftable() const {
  const auto any = [](const std::vector<TestTensor>& tensors) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const TestTensor& t) { return t.shiftable(); });
  };
  return any(inputs_) || any(outputs_) || any(variables_);
}

OpTester& OpTester::Kernel(std::string name) {
  kernel_ = std::move(name);
  return *this;
}

OpTester& OpTester::FloatTolerance(float relative) {
  float_tolerance_ = relative;
  return *this;
}

Status OpTester::PrepareKernel(const PrepareContext& ctx) {
  if (alternative_ != nullptr) {
    bool accepted = false;
    std::string why_not;
    WHIT_RETURN_IF_ERROR(alternative_->prepare(ctx, &prepared_, &accepted, &why_not));
    return accepted ? OkStatus() : Status(StatusCode::kUnsupported, why_not);
  }
  if (kernel_.empty()) return RowOf(type_).prepare(ctx, &prepared_);
  for (const Implementation& alternative : AlternativesOf(type_)) {
    if (kernel_ != alternative.name) continue;
    bool accepted = false;
    std::string why_not;
    WHIT_RETURN_IF_ERROR(alternative.prepare(ctx, &prepared_, &accepted, &why_not));
    if (!accepted) return Status(StatusCode::kUnsupported, why_not);
    EXPECT_EQ(prepared_.implementation, kernel_);
    return OkStatus();
  }
  return Status(StatusCode::kUnsupported, "no alternative " + kernel_);
}

void OpTester::GuardWeights(PackedWeights* w, Buffers* b) {
  const auto exact = [](int64_t bytes) { return bytes; };
  const WeightDims d = DimsOf(*w);
  w->data = b->Guard(w->data, w->data_bytes, exact);
  w->sums = static_cast<const int32_t*>(
      b->Guard(w->sums, static_cast<size_t>(WeightSumsBytes(d)), RoundUp64));
  w->limits = static_cast<const uint8_t*>(
      b->Guard(w->limits, static_cast<size_t>(WeightLimitsBytes(d)), exact));
}

Status OpTester::Prepare(Buffers* b, int32_t act_bias) {
  fbs::OperatorT op;
  op.name = "node";
  op.options = options_;
  for (size_t i = 0; i < inputs_.size(); ++i)
    op.inputs.push_back(inputs_[i].present ? static_cast<int>(i) : -1);
  for (size_t i = 0; i < outputs_.size(); ++i)
    op.outputs.push_back(static_cast<int>(inputs_.size() + i));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fbs::Operator::Pack(builder, &op));

  b->act_bias = act_bias;
  b->in = Buffers::Stored(inputs_, act_bias);
  b->out = Buffers::Stored(outputs_, act_bias);
  b->variables = Buffers::Stored(variables_, act_bias);
  b->present = std::make_unique<bool[]>(inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) b->present[i] = inputs_[i].present;
  b->in_views = Buffers::Views(&b->in, /*with_data=*/false);
  b->out_views = Buffers::Views(&b->out, /*with_data=*/false);
  b->variable_views = Buffers::Views(&b->variables, /*with_data=*/false);
  std::vector<BlobView> blobs;
  for (const auto& blob : blobs_) blobs.push_back({blob.data(), blob.size()});
  std::vector<PackedWeights> weights = weights_;
  if (alternative_ != nullptr) {
    for (PackedWeights& w : weights) GuardWeights(&w, b);
    // Behind a blob lie at least zeros up to a multiple of 64 (docs/layout.md, 5).
    for (BlobView& blob : blobs) blob.data = b->Guard(blob.data, blob.bytes, RoundUp64);
  }

  PrepareContext ctx;
  ctx.op = flatbuffers::GetRoot<fbs::Operator>(builder.GetBufferPointer());
  ctx.type = type_;
  ctx.in = b->in_views;
  ctx.present_in = {b->present.get(), inputs_.size()};
  ctx.out = b->out_views;
  ctx.weights = weights;
  ctx.blobs = blobs;
  ctx.variables = b->variable_views;
  std::vector<int> in_variable;
  for (const TestTensor& t : inputs_) in_variable.push_back(t.state ? 0 : -1);
  ctx.in_variable = in_variable;
  ctx.act_bias = act_bias;
  ctx.tier = tier_;
  ctx.self_check = self_check_;
  prepared_ = Prepared{};
  WHIT_RETURN_IF_ERROR(PrepareKernel(ctx));
  EXPECT_TRUE(prepared_.run != nullptr || prepared_.alias) << "prepare set no kernel";
  EXPECT_GE(prepared_.tasks, 0);

  b->in_views = Buffers::Views(&b->in, /*with_data=*/true);
  b->out_views = Buffers::Views(&b->out, /*with_data=*/true);
  b->variable_views = Buffers::Views(&b->variables, /*with_data=*/true);
  return OkStatus();
}

Status OpTester::RunCuts(Buffers* b, const std::vector<int64_t>& cuts, bool reverse, uint8_t fill) {
  const std::vector<TestTensor> initial = Buffers::Stored(variables_, b->act_bias);
  for (size_t i = 0; i < initial.size(); ++i) {
    std::copy(initial[i].bytes.begin(), initial[i].bytes.end(), b->variables[i].bytes.begin());
  }
  const std::vector<TestTensor> inputs = Buffers::Stored(inputs_, b->act_bias);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].state) continue;
    std::copy(inputs[i].bytes.begin(), inputs[i].bytes.end(), b->in[i].bytes.begin());
  }
  code_ = KernelCode::kOk;
  for (size_t i = 0; i < b->out.size(); ++i) {
    const bool in_place = !b->in_views.empty() && b->out_views[i].data == b->in_views[0].data;
    if (!in_place) std::memset(b->out_views[i].data, fill, b->out[i].bytes.size());
  }
  if (prepared_.alias) {
    EXPECT_EQ(b->out[0].bytes.size(), b->in[0].bytes.size());
    b->out[0].bytes = b->in[0].bytes;
    return OkStatus();
  }
  const size_t ranges = cuts.size() - 1;
  std::vector<KernelCode> codes(ranges, KernelCode::kOk);
  InTurnOrAtOnce(ranges, [&](size_t i) {
    const size_t at = reverse ? ranges - 1 - i : i;
    const Guarded scratch = Guarded::Scratch(prepared_.scratch_per_thread);
    RunContext run;
    run.params = prepared_.params.get();
    run.in = b->in_views;
    run.out = b->out_views;
    run.variables = b->variable_views;
    run.tasks = {cuts[at], cuts[at + 1]};
    run.scratch = scratch.data();
    codes[i] = prepared_.run(run);
    return codes[i] == KernelCode::kOk;
  });
  for (KernelCode code : codes) {
    if (code == KernelCode::kOk) continue;
    code_ = code;
    return Status(StatusCode::kRuntime, "kernel code " + std::to_string(static_cast<int>(code)));
  }
  return OkStatus();
}

void OpTester::CompareSplits(Buffers* b) {
  const int64_t tasks = prepared_.tasks;
  if (prepared_.whole || prepared_.alias || tasks < 2) return;
  std::vector<std::vector<int64_t>> splits;
  splits.push_back({0, tasks / 2, tasks});
  splits.push_back({0, 1, tasks - 1, tasks});
  splits.push_back({0, tasks / 3, tasks / 3, tasks / 2 + 1, tasks});  // an empty range among them
  if (tasks <= 64) {
    std::vector<int64_t> each;
    for (int64_t i = 0; i <= tasks; ++i) each.push_back(i);
    splits.push_back(each);
  }
  std::vector<std::vector<uint8_t>> want, states;
  for (const TestTensor& t : b->out) want.push_back(t.bytes);
  for (const TestTensor& t : b->in) states.push_back(t.bytes);
  for (size_t s = 0; s < splits.size(); ++s) {
    std::sort(splits[s].begin(), splits[s].end());
    const Status status = RunCuts(b, splits[s], /*reverse=*/s % 2 == 0, /*fill=*/0x5A);
    ASSERT_TRUE(status.ok()) << "split " << s << ": " << status.message();
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(SameBytes(want[i], b->out[i].bytes))
          << "output " << i << " depends on split " << s;
    }
    for (size_t i = 0; i < b->in.size(); ++i) {
      EXPECT_TRUE(SameBytes(states[i], b->in[i].bytes))
          << "input " << i << " is a state that depends on split " << s << ", or was written";
    }
  }
}

void OpTester::CompareInPlace(Buffers* b) {
  if (!prepared_.in_place) return;
  ASSERT_EQ(b->in[0].bytes.size(), b->out[0].bytes.size()) << "in place between different sizes";
  const std::vector<uint8_t> want = b->out[0].bytes, input = b->in[0].bytes;
  const View before = b->out_views[0];
  b->out_views[0].data = b->in_views[0].data;
  const Status status = RunCuts(b, {0, prepared_.tasks}, false, 0x5A);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(SameBytes(want, b->in[0].bytes)) << "in place";
  b->out_views[0] = before;
  std::copy(input.begin(), input.end(), b->in[0].bytes.begin());
}

Status OpTester::RunStored(int32_t act_bias) {
  SCOPED_TRACE("act_bias " + std::to_string(act_bias));
  Buffers b;
  WHIT_RETURN_IF_ERROR(Prepare(&b, act_bias));
  const Status first = RunCuts(&b, {0, prepared_.tasks}, false, 0xA5);
  if (!first.ok()) return first;
  results_.clear();
  final_variables_.clear();
  final_inputs_.clear();
  for (size_t i = 0; i < b.out.size(); ++i) {
    results_.push_back(b.out[i].bytes);
    if (b.out[i].type != outputs_[i].type) ShiftBytes(&results_.back());
  }
  for (size_t i = 0; i < b.variables.size(); ++i) {
    final_variables_.push_back(b.variables[i].bytes);
    if (b.variables[i].type != variables_[i].type) ShiftBytes(&final_variables_.back());
  }
  for (size_t i = 0; i < b.in.size(); ++i) {
    final_inputs_.push_back(b.in[i].bytes);
    if (b.in[i].type != inputs_[i].type) ShiftBytes(&final_inputs_.back());
    if (!inputs_[i].state) {
      EXPECT_TRUE(SameBytes(final_inputs_[i], inputs_[i].bytes)) << "input " << i << " was written";
    }
  }
  CompareSplits(&b);
  CompareInPlace(&b);
  return OkStatus();
}

Status OpTester::Run() {
  if (shift_ && AnyShiftable()) {
    const Status shifted = RunStored(128);
    const auto shifted_results = results_, shifted_variables = final_variables_;
    const auto shifted_inputs = final_inputs_;
    const Status status = RunStored(0);
    EXPECT_EQ(status.code(), shifted.code())
        << status.message() << " | shifted: " << shifted.message();
    if (!status.ok() || !shifted.ok()) return status;
    for (size_t i = 0; i < results_.size(); ++i) {
      EXPECT_TRUE(SameBytes(results_[i], shifted_results[i]))
          << "output " << i << " depends on act_bias";
    }
    for (size_t i = 0; i < final_variables_.size(); ++i) {
      EXPECT_TRUE(SameBytes(final_variables_[i], shifted_variables[i])) << "variable " << i;
    }
    for (size_t i = 0; i < final_inputs_.size(); ++i) {
      EXPECT_TRUE(SameBytes(final_inputs_[i], shifted_inputs[i])) << "state, input " << i;
    }
  } else {
    WHIT_RETURN_IF_ERROR(RunStored(0));
  }
  if (kernel_.empty()) CompareAlternatives();
  return OkStatus();
}

void OpTester::CompareAlternatives() {
  const Prepared reference = prepared_;
  alternatives_run_.clear();
  for (const Implementation& alternative : AlternativesOf(type_)) {
    if (std::string(alternative.name) == "xnnpack") continue;  // tests of its own
    for (const simd::Tier* tier : RunnableTiers()) {
      alternative_ = &alternative, tier_ = tier;
      CompareAlternative(alternative, *tier);
      self_check_ = true;
      CompareAlternative(alternative, *tier);
      alternative_ = nullptr, tier_ = nullptr, self_check_ = false;
    }
  }
  prepared_ = reference;
}

void OpTester::CompareAlternative(const Implementation& alternative, const simd::Tier& tier) {
  SCOPED_TRACE(std::string(alternative.name) + " on " + tier.name +
               (self_check_ ? ", self-check" : ""));
  Buffers b;
  if (!Prepare(&b, shift_ ? tier.act_bias : 0).ok()) return;
  if (self_check_ != prepared_.checks_itself) return;  // the same as without
  if (std::find(alternatives_run_.begin(), alternatives_run_.end(), alternative.name) ==
      alternatives_run_.end()) {
    alternatives_run_.emplace_back(alternative.name);
  }
  EXPECT_STREQ(prepared_.implementation, alternative.name);
  EXPECT_TRUE(IsTierOf(prepared_.tier, tier)) << prepared_.tier;
  // Inputs and outputs move to guarded memory; the tensors' own bytes hold what comes back.
  const auto guard = [&](TestTensor& t, View& view, size_t slack) {
    if (!t.present) return;
    b.memory.emplace_back(t.bytes.size(), slack, 0xA5);
    std::copy(t.bytes.begin(), t.bytes.end(), b.memory.back().data());
    view.data = b.memory.back().data();
  };
  for (size_t i = 0; i < b.in.size(); ++i) {
    if (!b.in[i].state) guard(b.in[i], b.in_views[i], b.in[i].constant ? 0 : kSlack);
  }
  for (size_t i = 0; i < b.out.size(); ++i) guard(b.out[i], b.out_views[i], 0);
  std::vector<std::vector<uint8_t>> first;
  const int64_t tasks = prepared_.tasks;
  const std::vector<std::vector<int64_t>> splits = {
      {0, tasks}, {0, tasks / 2, tasks}, {0, std::min<int64_t>(1, tasks), tasks}};
  for (size_t s = 0; s < splits.size(); ++s) {
    const Status status = RunCuts(&b, splits[s], /*reverse=*/s % 2 == 1, /*fill=*/0xA5);
    ASSERT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < b.out.size(); ++i) {
      const auto* out = static_cast<const uint8_t*>(b.out_views[i].data);
      b.out[i].bytes.assign(out, out + b.out[i].bytes.size());
      if (s == 0) {
        first.push_back(b.out[i].bytes);
      } else {
        EXPECT_TRUE(SameBytes(first[i], b.out[i].bytes)) << "output " << i << ", split " << s;
      }
    }
  }
  CompareOutputs(b);
}

void OpTester::CompareOutputs(const Buffers& b) {
  for (size_t i = 0; i < b.out.size(); ++i) {
    std::vector<uint8_t> got = b.out[i].bytes;
    if (b.out[i].type != outputs_[i].type) ShiftBytes(&got);
    if (outputs_[i].type != DType::kFloat32 || prepared_.exact) {
      EXPECT_TRUE(SameBytes(results_[i], got)) << "output " << i << " (first is the reference)";
      continue;
    }
    SCOPED_TRACE("output " + std::to_string(i));
    CompareFloats(results_[i], got);
  }
  for (size_t i = 0; i < b.in.size(); ++i) {
    if (!b.in[i].state) continue;
    std::vector<uint8_t> got = b.in[i].bytes;
    if (b.in[i].type != inputs_[i].type) ShiftBytes(&got);
    SCOPED_TRACE("state, input " + std::to_string(i));
    if (inputs_[i].type != DType::kFloat32 || prepared_.exact) {
      EXPECT_TRUE(SameBytes(final_inputs_[i], got));
    } else {
      CompareFloats(final_inputs_[i], got);
    }
  }
}

void OpTester::CompareFloats(const std::vector<uint8_t>& reference,
                             const std::vector<uint8_t>& got) const {
  const std::vector<float> want = Values<float>(reference), have = Values<float>(got);
  float largest = 0;
  for (float v : want) largest = std::max(largest, std::isfinite(v) ? std::abs(v) : 0.0f);
  for (size_t j = 0; j < want.size(); ++j) {
    if (std::isnan(want[j]) && std::isnan(have[j])) continue;
    if (want[j] == have[j]) continue;
    ASSERT_LE(std::abs(want[j] - have[j]), largest * float_tolerance_ + 1e-30f)
        << "element " << j << ": reference " << want[j] << ", got " << have[j];
  }
}

}  // namespace whit
