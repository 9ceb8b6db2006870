#include "tests/kernels/op_tester.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace whit {

namespace {

constexpr size_t kScratchAlignment = 64;  // what RunContext::scratch promises

struct FreeDeleter {
  void operator()(uint8_t* p) const { std::free(p); }
};

// Exactly `bytes` long, filled with a value that no kernel may rely on.
std::unique_ptr<uint8_t, FreeDeleter> MakeScratch(size_t bytes) {
  void* p = nullptr;
  if (posix_memalign(&p, kScratchAlignment, std::max<size_t>(bytes, 1)) != 0) std::abort();
  std::memset(p, 0xCD, bytes);
  return std::unique_ptr<uint8_t, FreeDeleter>(static_cast<uint8_t*>(p));
}

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

}  // namespace

struct OpTester::Buffers {
  // Views borrow from the tensors and vectors beside them.
  std::vector<TestTensor> in, out, variables;
  std::vector<TensorView> in_views, out_views, variable_views;
  std::unique_ptr<bool[]> present;
  int32_t act_bias = 0;

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
  static std::vector<TensorView> Views(std::vector<TestTensor>* tensors, bool with_data) {
    static uint8_t no_elements;  // tensors without elements are present all the same
    std::vector<TensorView> views;
    for (TestTensor& t : *tensors) {
      TensorView v{.type = t.type, .shape = t.shape, .quant = {t.scale, t.zero_point, t.axis}};
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

Status OpTester::PrepareKernel(const PrepareContext& ctx) {
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

  PrepareContext ctx;
  ctx.op = flatbuffers::GetRoot<fbs::Operator>(builder.GetBufferPointer());
  ctx.type = type_;
  ctx.in = b->in_views;
  ctx.present_in = {b->present.get(), inputs_.size()};
  ctx.out = b->out_views;
  ctx.weights = weights_;
  ctx.blobs = blobs;
  ctx.variables = b->variable_views;
  std::vector<int> in_variable;
  for (const TestTensor& t : inputs_) in_variable.push_back(t.state ? 0 : -1);
  ctx.in_variable = in_variable;
  ctx.act_bias = act_bias;
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
  for (TestTensor& t : b->out) std::fill(t.bytes.begin(), t.bytes.end(), fill);
  if (prepared_.alias) {
    EXPECT_EQ(b->out[0].bytes.size(), b->in[0].bytes.size());
    b->out[0].bytes = b->in[0].bytes;
    return OkStatus();
  }
  const size_t ranges = cuts.size() - 1;
  std::vector<KernelCode> codes(ranges, KernelCode::kOk);
  InTurnOrAtOnce(ranges, [&](size_t i) {
    const size_t at = reverse ? ranges - 1 - i : i;
    const auto scratch = MakeScratch(prepared_.scratch_per_thread);
    RunContext run;
    run.params = prepared_.params.get();
    run.in = b->in_views;
    run.out = b->out_views;
    run.variables = b->variable_views;
    run.tasks = {cuts[at], cuts[at + 1]};
    run.scratch = scratch.get();
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
  const TensorView before = b->out_views[0];
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
    return status;
  }
  return RunStored(0);
}

}  // namespace whit
