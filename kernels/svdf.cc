// Svdf: a fully connected layer of rank-constrained filters over time. In: x[batch, inputs] and the
// state [batch, filters * memory], a variable: for every filter what it answered to the last
// `memory` inputs, newest last. Out: y[batch, units], filters = units * rank. Tasks are rows of the
// batch. docs/arithmetic.md, Recurrent.
#include <cmath>
#include <cstring>

#include "kernels/elementwise.h"
#include "kernels/options.h"
#include "kernels/recurrent.h"
#include "kernels/requantize.h"
#include "kernels/weighted.h"

namespace whit {

namespace {

struct Svdf {
  int64_t batch = 1, inputs = 0, filters = 0, units = 0, rank = 1, memory = 0;
  PackedMatrix feature;
  const int32_t* feature_bias = nullptr;  // integers
  const void* time_weights = nullptr;     // [filters][memory] int16 or float
  const void* bias = nullptr;             // [units] int32 or float; null: 0
  // Integers.
  uint8_t flip = 0;  // of the input
  float feature_multiplier = 0, time_multiplier = 0;
  Requant state, output;
  // Floats.
  RowCode code = RowCode::kFloat;
  float lo = 0, hi = 0;

  int64_t state_row() const { return filters * memory; }
};

/// Makes room for the newest answer of every filter.
template <typename T>
void Age(const Svdf& p, T* state) {
  for (int64_t f = 0; f < p.filters; ++f) {
    T* line = state + f * p.memory;
    std::memmove(line, line + 1, static_cast<size_t>(p.memory - 1) * sizeof(T));
  }
}

// ---- integers ----

/// A stored state without its zero point. 8-bit states are canonical int8 in either storage.
inline int32_t StateValue(int16_t stored, int32_t) { return stored; }
inline int32_t StateValue(uint8_t stored, int32_t zero_point) {
  return zero_point == 0 ? static_cast<int8_t>(stored) : stored - zero_point;
}

template <typename T>
int64_t TimeSum(const Svdf& p, int64_t unit, const T* state) {
  const auto* weights = static_cast<const int16_t*>(p.time_weights) + unit * p.rank * p.memory;
  const T* line = state + unit * p.rank * p.memory;
  int64_t sum = p.bias != nullptr ? static_cast<const int32_t*>(p.bias)[unit] : 0;
  for (int64_t i = 0; i < p.rank * p.memory; ++i) {
    sum += weights[i] * StateValue(line[i], p.state.zero_point);
  }
  return sum;
}

template <typename T>
KernelCode RunInteger(const RunContext& ctx) {
  const auto& p = ctx.As<Svdf>();
  auto* row = reinterpret_cast<int16_t*>(ctx.scratch);
  for (int64_t b = ctx.tasks.begin; b < ctx.tasks.end; ++b) {
    T* state = ctx.in[1].mut<T>() + b * p.state_row();
    Age(p, state);
    WidenI8(ctx.in[0].as<uint8_t>() + b * p.inputs, p.inputs, p.flip, 0, row);
    MultiplyI8(p.feature, row, p.feature_bias, [&](int64_t f, int32_t acc) {
      state[(f + 1) * p.memory - 1] =
          static_cast<T>(Requantize(acc, p.feature_multiplier, p.state));
    });
    uint8_t* y = ctx.out[0].mut<uint8_t>() + b * p.units;
    for (int64_t u = 0; u < p.units; ++u) {
      y[u] = static_cast<uint8_t>(Requantize64(TimeSum(p, u, state), p.time_multiplier, p.output));
    }
  }
  return KernelCode::kOk;
}

// ---- floats ----

KernelCode RunFloat(const RunContext& ctx) {
  const auto& p = ctx.As<Svdf>();
  ScratchCursor cursor(ctx.scratch);
  auto* answers = cursor.Take<float>(p.filters);
  auto* widened = cursor.Take<int16_t>(WidenedLength(p.inputs));
  const auto* weights = static_cast<const float*>(p.time_weights);
  const auto* bias = static_cast<const float*>(p.bias);
  for (int64_t b = ctx.tasks.begin; b < ctx.tasks.end; ++b) {
    float* state = ctx.in[1].mut<float>() + b * p.state_row();
    Age(p, state);
    std::fill_n(answers, p.filters, 0.0f);
    const float* x = ctx.in[0].as<float>() + b * p.inputs;
    AddProduct(p.feature, MakeFloatRow(x, p.inputs, p.code, widened), answers);
    for (int64_t f = 0; f < p.filters; ++f) state[(f + 1) * p.memory - 1] = answers[f];
    float* y = ctx.out[0].mut<float>() + b * p.units;
    for (int64_t u = 0; u < p.units; ++u) {
      const int64_t first = u * p.rank * p.memory, last = first + p.rank * p.memory;
      float sum = bias != nullptr ? bias[u] : 0.0f;
      for (int64_t i = first; i < last; ++i) sum += weights[i] * state[i];
      y[u] = ClampKeepNan(sum, p.lo, p.hi);
    }
  }
  return KernelCode::kOk;
}

// ---- prepare ----

constexpr int64_t kMaxRow = 1 << 24;  // keeps scratch far below what a size can hold

Result<Svdf> ReadShapes(const PrepareContext& ctx, const fbs::SvdfOptions& options) {
  const Shape &x = ctx.in[0].shape, &y = ctx.out[0].shape;
  if (x.rank() != 2 || y.rank() != 2 || x[0] != y[0]) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "input [batch, inputs] and output [batch, units] "
                     "expected, have " +
                         x.ToString() + " and " + y.ToString());
  }
  Svdf p;
  p.batch = x[0];
  p.inputs = x[1];
  p.units = y[1];
  p.rank = options.rank();
  p.memory = options.memory();
  if (p.inputs < 1 || p.inputs > kMaxRow || p.units < 1 || p.rank < 1 || p.memory < 1 ||
      p.rank > kMaxRow / p.units || p.memory > (int64_t{1} << 31) / (p.units * p.rank)) {
    return ctx.Error(StatusCode::kUnsupported,
                     std::to_string(p.inputs) + " inputs, " + std::to_string(p.units) +
                         " units of rank " + std::to_string(p.rank) + " and memory " +
                         std::to_string(p.memory) + ": each at least 1, at most " +
                         std::to_string(kMaxRow) + " inputs and filters");
  }
  p.filters = p.units * p.rank;
  WHIT_RETURN_IF_ERROR(ExpectState(ctx, 1, "the state", Shape{p.batch, p.state_row()}));
  WHIT_ASSIGN_OR_RETURN(p.feature, ReadMatrix(ctx, options.feature_weights(), "feature weights",
                                              p.filters, p.inputs));
  if (!p.feature.present()) {
    return ctx.Error(StatusCode::kInvalidModel, "has no feature weights");
  }
  return p;
}

/// The state's storage: symmetric, so the zero point is 0 (128 for canonical int8 stored as uint8).
Result<Requant> StateRequant(const PrepareContext& ctx, const View& state) {
  WHIT_ASSIGN_OR_RETURN(const OperandInfo info, ReadOperand(ctx, "the state", state));
  if (info.zero_point != 0) {
    return ctx.Error(
        StatusCode::kUnsupported,
        "the state's zero point is " + std::to_string(info.zero_point) + ", 0 is expected");
  }
  if (state.type == DType::kInt16) return Requant{-32768, 32767, 0};
  return Requant{-128, 127, info.flip};  // flip is 0x80 = 128 for uint8
}

Status SetInteger(const PrepareContext& ctx, const fbs::SvdfOptions& options, Svdf* p,
                  Prepared* prepared) {
  const View& state = ctx.in[1];
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the state", state.type, {DType::kInt16, DType::kInt8, DType::kUint8}));
  if (p->feature.is_float) {
    return ctx.Error(StatusCode::kUnsupported, "float weights with 8-bit activations");
  }
  WHIT_ASSIGN_OR_RETURN(const OperandInfo x, ReadOperand(ctx, "the input", ctx.in[0]));
  p->flip = x.flip;
  WHIT_ASSIGN_OR_RETURN(p->state, StateRequant(ctx, state));
  WHIT_ASSIGN_OR_RETURN(p->output, MakeRequant(ctx, ctx.out[0], options.lo(), options.hi()));
  p->feature_multiplier = options.feature_multiplier();
  p->time_multiplier = options.time_multiplier();
  WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "feature multiplier", p->feature_multiplier));
  WHIT_RETURN_IF_ERROR(ExpectMultiplier(ctx, "time multiplier", p->time_multiplier));
  WHIT_ASSIGN_OR_RETURN(
      p->feature_bias, ctx.Blob<int32_t>(options.feature_bias(), p->filters, "feature bias", true));
  WHIT_ASSIGN_OR_RETURN(p->time_weights,
                        ctx.Blob<int16_t>(options.time_weights(), p->state_row(), "time weights"));
  WHIT_ASSIGN_OR_RETURN(p->bias, ctx.Blob<int32_t>(options.bias(), p->units, "bias", true));
  prepared->scratch_per_thread = static_cast<size_t>(WidenedLength(p->inputs)) * sizeof(int16_t);
  prepared->run = state.type == DType::kInt16 ? &RunInteger<int16_t> : &RunInteger<uint8_t>;
  return OkStatus();
}

Status SetFloat(const PrepareContext& ctx, const fbs::SvdfOptions& options, Svdf* p,
                Prepared* prepared) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the state", ctx.in[1].type, {DType::kFloat32}));
  WHIT_RETURN_IF_ERROR(CheckClamp(ctx, options.lo(), options.hi()));
  p->lo = options.lo();
  p->hi = options.hi();
  if (!p->feature.is_float) {
    p->code = options.asymmetric() ? RowCode::kAsymmetric : RowCode::kSymmetric;
  }
  WHIT_ASSIGN_OR_RETURN(p->time_weights,
                        ctx.Blob<float>(options.time_weights(), p->state_row(), "time weights"));
  WHIT_ASSIGN_OR_RETURN(p->bias, ctx.Blob<float>(options.bias(), p->units, "bias", true));
  ScratchCursor cursor;
  cursor.Take<float>(p->filters);
  cursor.Take<int16_t>(WidenedLength(p->inputs));
  prepared->scratch_per_thread = cursor.bytes();
  prepared->exact = false;
  prepared->run = &RunFloat;
  return OkStatus();
}

}  // namespace

Status PrepareSvdf(const PrepareContext& ctx, Prepared* prepared) {
  return PrepareSvdfOn(ctx, nullptr, prepared);
}

Status PrepareSvdfOn(const PrepareContext& ctx, const simd::Tier* tier, Prepared* prepared) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::SvdfOptions>(ctx));
  const DType type = ctx.in[0].type;
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the input", type, {DType::kFloat32, DType::kInt8, DType::kUint8}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {type}));
  WHIT_ASSIGN_OR_RETURN(Svdf p, ReadShapes(ctx, *options));
  UseTier(tier, &p.feature);
  WHIT_RETURN_IF_ERROR(type == DType::kFloat32 ? SetFloat(ctx, *options, &p, prepared)
                                               : SetInteger(ctx, *options, &p, prepared));
  prepared->tasks = p.batch;
  prepared->macs = SaturatingProduct(p.batch, p.filters, p.inputs + p.memory);
  prepared->SetParams(std::move(p));
  return OkStatus();
}

const char* const kTypesSvdf = "int8 uint8 float32 float32xint8";

}  // namespace whit
