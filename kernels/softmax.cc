// Softmax and LogSoftmax over the last axis: float32, and int8 (either storage) and int16 inputs by
// tables of exp and log that the import stored. docs/arithmetic.md, 4. Tasks are rows.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/float_math.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/requantize.h"
#include "kernels/softmax.h"
#include "kernels/tables.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

constexpr size_t kLogEntries = 257;

// ---- float ----

float RowMax(const float* x, int64_t n) {
  float max = x[0];
  for (int64_t i = 1; i < n; ++i) max = std::max(max, x[i]);
  return max;
}

KernelCode RunFloat(const RunContext& ctx) {
  const auto& p = ctx.As<SoftmaxParams>();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const float* in = ctx.in[0].as<float>() + row * p.depth;
    float* out = ctx.out[0].mut<float>() + row * p.depth;
    const float max = RowMax(in, p.depth);
    float sum = 0;
    // Apart from the sum, whose order is fixed, so that this loop vectorizes.
    WHIT_INDEPENDENT
    for (int64_t i = 0; i < p.depth; ++i) out[i] = ExpFloat((in[i] - max) * p.beta);
    for (int64_t i = 0; i < p.depth; ++i) sum += out[i];
    for (int64_t i = 0; i < p.depth; ++i) out[i] /= sum;
  }
  return KernelCode::kOk;
}

KernelCode RunLogFloat(const RunContext& ctx) {
  const auto& p = ctx.As<SoftmaxParams>();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const float* in = ctx.in[0].as<float>() + row * p.depth;
    float* out = ctx.out[0].mut<float>() + row * p.depth;
    const float max = RowMax(in, p.depth);
    float sum = 0;
    for (int64_t i = 0; i < p.depth; ++i) sum += ExpFloat((in[i] - max) * p.beta);
    const float log_sum = std::log(sum);
    for (int64_t i = 0; i < p.depth; ++i) out[i] = (in[i] - max) * p.beta - log_sum;
  }
  return KernelCode::kOk;
}

// ---- integers ----

// exp(-beta * s * d) in 1 / 2^30, d = max - q >= 0. T tells the range of d and so the table's form.
template <typename T>
uint64_t Exponential(const uint32_t* table, int32_t d) {
  const size_t at = static_cast<size_t>(d);
  if constexpr (sizeof(T) == 1) return table[at];
  // Cannot overflow: (2^32 - 1)^2 + 2^30 < 2^64.
  return (uint64_t{table[at >> 8]} * table[256 + (at & 255)] + (uint64_t{1} << 30)) >> 31;
}

template <typename T>
int32_t RowMax(const T* x, int64_t n) {
  T max = x[0];
  for (int64_t i = 1; i < n; ++i) max = std::max(max, x[i]);
  return max;
}

template <typename T>
uint64_t RowSum(const uint32_t* table, const T* x, int64_t n, int32_t max) {
  uint64_t sum = 0;  // wraps only where a file's table is inconsistent
  for (int64_t i = 0; i < n; ++i) sum += Exponential<T>(table, max - x[i]);
  return sum;
}

// ln(sum / 2^30) in 1 / 2^30: the exponent times ln 2, and a straight line between 257 stored
// logarithms.
int64_t LogOfSum(uint64_t sum, const uint32_t* logs) {
  if (sum == 0) sum = 1;  // only where the table is inconsistent
  const int leading = std::countl_zero(sum);
  const uint64_t fraction = sum << leading << 1;  // the bits behind the leading one, at the top
  const size_t at = static_cast<size_t>(fraction >> 56);
  const int64_t part = static_cast<int64_t>(fraction >> 40 & 0xFFFF);
  const int64_t left = logs[at], right = logs[at + 1];
  const int64_t exponent = 63 - leading - 30;
  return exponent * logs[256] + left + (((right - left) * part + 0x8000) >> 16);
}

template <typename In, typename Out>
KernelCode RunInteger(const RunContext& ctx) {
  const auto& p = ctx.As<SoftmaxParams>();
  const uint32_t* table = p.table.data();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const In* in = ctx.in[0].as<In>() + row * p.depth;
    Out* out = ctx.out[0].mut<Out>() + row * p.depth;
    const int32_t max = RowMax(in, p.depth);
    const uint64_t sum = RowSum(table, in, p.depth, max);
    const float scale = static_cast<float>(p.inverse_scale / static_cast<double>(sum));
    for (int64_t i = 0; i < p.depth; ++i) {
      const float e = static_cast<float>(static_cast<int64_t>(Exponential<In>(table, max - in[i])));
      out[i] = static_cast<Out>(StoreRounded(e * scale, p.requant));
    }
  }
  return KernelCode::kOk;
}

template <typename In, typename Out>
KernelCode RunLogInteger(const RunContext& ctx) {
  const auto& p = ctx.As<SoftmaxParams>();
  const uint32_t* table = p.table.data();
  for (int64_t row = ctx.tasks.begin; row < ctx.tasks.end; ++row) {
    const In* in = ctx.in[0].as<In>() + row * p.depth;
    Out* out = ctx.out[0].mut<Out>() + row * p.depth;
    const int32_t max = RowMax(in, p.depth);
    const uint64_t sum = RowSum(table, in, p.depth, max);
    const int64_t log = LogOfSum(sum, table + (sizeof(In) == 1 ? 256 : 512));
    const float shift = static_cast<float>(log) * p.log_multiplier;
    for (int64_t i = 0; i < p.depth; ++i) {
      const float difference = static_cast<float>(in[i] - max) * p.multiplier;
      out[i] = static_cast<Out>(StoreRounded(difference - shift, p.requant));
    }
  }
  return KernelCode::kOk;
}

// ---- prepare ----

struct Kernels {
  KernelFn from_float;
  KernelFn from_integer[3][2];  // input int8, uint8, int16; output 8 or 16 bits
};

constexpr Kernels kSoftmax = {&RunFloat,
                              {{&RunInteger<int8_t, uint8_t>, &RunInteger<int8_t, int16_t>},
                               {&RunInteger<uint8_t, uint8_t>, &RunInteger<uint8_t, int16_t>},
                               {&RunInteger<int16_t, uint8_t>, &RunInteger<int16_t, int16_t>}}};
constexpr Kernels kLogSoftmax = {
    &RunLogFloat,
    {{&RunLogInteger<int8_t, uint8_t>, &RunLogInteger<int8_t, int16_t>},
     {&RunLogInteger<uint8_t, uint8_t>, &RunLogInteger<uint8_t, int16_t>},
     {&RunLogInteger<int16_t, uint8_t>, &RunLogInteger<int16_t, int16_t>}}};

Status SetInteger(const PrepareContext& ctx, const fbs::SoftmaxOptions& options, bool log,
                  SoftmaxParams* p) {
  WHIT_ASSIGN_OR_RETURN(const OperandInfo in, ReadOperand(ctx, "the input", ctx.in[0]));
  WHIT_ASSIGN_OR_RETURN(p->requant, MakeRequant(ctx, ctx.out[0], -INFINITY, INFINITY));
  const size_t count = (ctx.in[0].type == DType::kInt16 ? 512 : 256) + (log ? kLogEntries : 0);
  WHIT_ASSIGN_OR_RETURN(
      const uint32_t* table,
      ctx.Blob<uint32_t>(options.table(), static_cast<int64_t>(count), "the table"));
  p->table.assign(table, table + count);
  const double so = ctx.out[0].quant.scale[0];
  p->inverse_scale = 1 / so;
  if (!log) return OkStatus();
  const double beta = options.beta();
  WHIT_ASSIGN_OR_RETURN(p->multiplier,
                        MakeMultiplier(ctx, "beta * s_in / s_out", beta * in.scale / so));
  WHIT_ASSIGN_OR_RETURN(p->log_multiplier, MakeMultiplier(ctx, "2^-30 / s_out", 0x1p-30 / so));
  return OkStatus();
}

Status PrepareAny(const PrepareContext& ctx, Prepared* out, bool log, const Kernels& kernels) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::SoftmaxOptions>(ctx));
  const View& in = ctx.in[0];
  WHIT_RETURN_IF_ERROR(ctx.ExpectType(
      "the input", in.type, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, in.shape));
  SoftmaxParams p;
  p.depth = in.shape.rank() == 0 ? 1 : in.shape.back();
  p.beta = options->beta();
  if (in.type == DType::kFloat32) {
    WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {DType::kFloat32}));
    out->run = kernels.from_float;
    out->exact = false;
  } else {
    WHIT_RETURN_IF_ERROR(SetInteger(ctx, *options, log, &p));
    const size_t from = in.type == DType::kInt8 ? 0 : in.type == DType::kUint8 ? 1 : 2;
    out->run = kernels.from_integer[from][ctx.out[0].type == DType::kInt16 ? 1 : 0];
  }
  out->tasks = p.depth == 0 ? 0 : in.elements() / p.depth;
  out->macs = in.elements();
  out->SetParams(std::move(p));
  return OkStatus();
}

}  // namespace

Status PrepareSoftmax(const PrepareContext& ctx, Prepared* p) {
  return PrepareAny(ctx, p, /*log=*/false, kSoftmax);
}
Status PrepareLogSoftmax(const PrepareContext& ctx, Prepared* p) {
  return PrepareAny(ctx, p, /*log=*/true, kLogSoftmax);
}

const char* const kTypesSoftmax = "int8 uint8 int16 float32";
const char* const kTypesLogSoftmax = "int8 uint8 int16 float32";

}  // namespace whit
