#include "kernels/simd/vector_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>

#include "kernels/binary.h"
#include "kernels/quantize.h"
#include "kernels/simd/vector_driver.h"
#include "kernels/unary.h"
#include "platform/cpu.h"

namespace whit {
namespace {

using simd::BinaryKind;
using simd::UnaryKind;

// ---- two operands ----

// Rows shorter than this are put together in scratch: a call and its last, partial registers cost
// as much as some hundred bytes.
constexpr int64_t kShortRowBytes = 256;
// How far the put-together rows of an operand reach: what one call then computes.
constexpr int64_t kStretchBytes = 2048;
constexpr int64_t kOperandScratch = kStretchBytes + 2 * kShortRowBytes + 64;

// How an operand of short rows lies: dense, the same row for all, or one value a row.
enum class Form : uint8_t { kDense, kRow, kColumn };

template <typename Args>  // simd::BinaryU8 or simd::BinaryF32
struct VectorBinary {
  Broadcast broadcast;
  void (*run)(const Args&) = nullptr;
  Args args;
  bool short_rows = false;
  Form form[2] = {Form::kDense, Form::kDense};
};

// Both operands in spans as the broadcasting has them.
template <typename Args, typename T>
void RunSpans(const VectorBinary<Args>& p, const RunContext& ctx) {
  Args args = p.args;
  args.a_step = p.broadcast.inner_stride(0), args.b_step = p.broadcast.inner_stride(1);
  ForEachSpan<2>(p.broadcast, ctx.tasks, [&](int64_t at, int64_t n, const auto& base) {
    args.a = ctx.in[0].as<T>() + base[0];
    args.b = ctx.in[1].as<T>() + base[1];
    args.out = ctx.out[0].mut<T>() + at;
    args.n = n;
    p.run(args);
  });
}

// An operand of short rows as stretches of dense elements.
template <typename T>
struct Stretches {
  Form form;
  const T* from;
  int64_t row;     // elements
  int64_t stride;  // of columns
  T* scratch;

  void Begin() const {
    if (form != Form::kRow) return;
    const int64_t reach = kStretchBytes / static_cast<int64_t>(sizeof(T)) + row;
    for (int64_t i = 0; i < reach; i += row) std::copy_n(from, row, scratch + i);
  }
  // The `n` elements from element `at` of the output on.
  const T* At(int64_t at, int64_t n) const {
    if (form == Form::kDense) return from + at;
    if (form == Form::kRow) return scratch + at % row;
    const T* value = from + at / row * stride;
    int64_t next = row - at % row;  // where the next value begins
    for (int64_t i = 0; i < n; i = next, next += row, value += stride) Repeat(*value, i, next);
    return scratch;
  }
  // Whole blocks: what is too much is overwritten next.
  void Repeat(T value, int64_t begin, int64_t end) const {
    constexpr int64_t kBlock = 32 / static_cast<int64_t>(sizeof(T));
    for (int64_t i = begin; i < end; i += kBlock) std::fill_n(scratch + i, kBlock, value);
  }
};

template <typename Args, typename T>
void RunShortRows(const VectorBinary<Args>& p, const RunContext& ctx) {
  const auto stretches = [&](size_t i) {
    return Stretches<T>{
        p.form[i], ctx.in[i].as<T>(), p.broadcast.dims[1], p.broadcast.strides[i][0],
        reinterpret_cast<T*>(ctx.scratch + static_cast<int64_t>(i) * kOperandScratch)};
  };
  const Stretches<T> a = stretches(0), b = stretches(1);
  a.Begin();
  b.Begin();
  Args args = p.args;
  for (int64_t at = ctx.tasks.begin; at < ctx.tasks.end; at += args.n) {
    args.n = std::min(kStretchBytes / static_cast<int64_t>(sizeof(T)), ctx.tasks.end - at);
    args.a = a.At(at, args.n);
    args.b = b.At(at, args.n);
    args.out = ctx.out[0].mut<T>() + at;
    p.run(args);
  }
}

template <typename Args>
KernelCode RunBinary(const RunContext& ctx) {
  using T = std::remove_pointer_t<decltype(Args::out)>;
  const auto& p = ctx.As<VectorBinary<Args>>();
  if (p.short_rows) {
    RunShortRows<Args, T>(p, ctx);
  } else {
    RunSpans<Args, T>(p, ctx);
  }
  return KernelCode::kOk;
}

// Rows of a few elements in which every operand has one of the forms above.
template <typename Args>
void FindShortRows(VectorBinary<Args>* p) {
  constexpr auto kBytes = static_cast<int64_t>(sizeof(*Args::out));
  const Broadcast& b = p->broadcast;
  if (b.rank != 2 || b.dims[1] * kBytes >= kShortRowBytes) return;
  for (size_t i = 0; i < 2; ++i) {
    const auto& stride = b.strides[i];
    if (stride[1] == 0) {
      p->form[i] = Form::kColumn;
    } else if (stride[0] == 0) {
      p->form[i] = Form::kRow;
    } else if (stride[0] != b.dims[1]) {
      return;
    }
  }
  p->short_rows = true;
}

template <typename Args>
void FinishBinary(const PrepareContext& ctx, const Prepared& reference, VectorBinary<Args> p,
                  Prepared* prepared) {
  FindShortRows(&p);
  TakeOver(ctx, reference, p.args.kind == BinaryKind::kDiv ? 2 : 1, prepared);
  if (p.short_rows) prepared->scratch_per_thread = 2 * kOperandScratch;
  prepared->run = &RunBinary<Args>;
  prepared->SetParams(p);
}

std::optional<BinaryKind> BinaryKindOf(OpType type) {
  switch (type) {
    case OpType::kAdd:
      return BinaryKind::kAdd;
    case OpType::kSub:
      return BinaryKind::kSub;
    case OpType::kMul:
      return BinaryKind::kMul;
    case OpType::kDiv:
      return BinaryKind::kDiv;
    case OpType::kMaximum:
      return BinaryKind::kMaximum;
    case OpType::kMinimum:
      return BinaryKind::kMinimum;
    case OpType::kSquaredDifference:
      return BinaryKind::kSquaredDifference;
    default:
      return std::nullopt;
  }
}

bool AllStoredU8(const PrepareContext& ctx) {
  return IsStoredU8(ctx.in[0]) && IsStoredU8(ctx.in[1]) && IsStoredU8(ctx.out[0]);
}

simd::BinaryU8 BytesOf(BinaryKind kind, const OperandInfo& a, const OperandInfo& b,
                       const Requant& requant) {
  simd::BinaryU8 args;
  args.kind = kind;
  args.a_zero = a.zero_point + a.flip, args.b_zero = b.zero_point + b.flip;
  args.store = StoreOf(requant);
  return args;
}

// ---- one operand ----

struct VectorUnary {
  void (*run)(const simd::UnaryF32&) = nullptr;
  simd::UnaryF32 args;
};

KernelCode RunUnary(const RunContext& ctx) {
  const auto& p = ctx.As<VectorUnary>();
  simd::UnaryF32 args = p.args;
  args.in = ctx.in[0].as<float>() + ctx.tasks.begin;
  args.out = ctx.out[0].mut<float>() + ctx.tasks.begin;
  args.n = ctx.tasks.end - ctx.tasks.begin;
  p.run(args);
  return KernelCode::kOk;
}

// The kernel's name of a function and its time an element, in sums of two floats.
struct UnaryRow {
  OpType type;
  UnaryKind kind;
  double cost;
};
constexpr UnaryRow kUnary[] = {
    {OpType::kRelu, UnaryKind::kRelu, 0.7},
    {OpType::kRelu6, UnaryKind::kRelu6, 0.7},
    {OpType::kReluN1To1, UnaryKind::kReluN1To1, 0.7},
    {OpType::kLeakyRelu, UnaryKind::kLeakyRelu, 0.8},
    {OpType::kHardSwish, UnaryKind::kHardSwish, 2},
    {OpType::kLogistic, UnaryKind::kLogistic, 6},
    {OpType::kTanh, UnaryKind::kTanh, 8},
    {OpType::kExp, UnaryKind::kExp, 5},
    {OpType::kAbs, UnaryKind::kAbs, 0.7},
    {OpType::kNeg, UnaryKind::kNeg, 0.7},
    {OpType::kSquare, UnaryKind::kSquare, 0.7},
    {OpType::kSqrt, UnaryKind::kSqrt, 2},
    {OpType::kRsqrt, UnaryKind::kRsqrt, 4},
    {OpType::kGelu, UnaryKind::kGeluTanh, 8},
};

// ---- tables and conversions ----

struct VectorTable {
  void (*run)(const simd::TableU8&) = nullptr;
  std::array<uint8_t, 256> table;
};

KernelCode RunTable(const RunContext& ctx) {
  const auto& p = ctx.As<VectorTable>();
  const int64_t at = ctx.tasks.begin;
  p.run({p.table.data(), ctx.in[0].as<uint8_t>() + at, ctx.out[0].mut<uint8_t>() + at,
         ctx.tasks.end - at});
  return KernelCode::kOk;
}

// What the reference makes of every byte.
std::array<uint8_t, 256> TableOf(const PrepareContext& ctx, const Prepared& reference) {
  std::array<uint8_t, 256> in, out;
  for (size_t i = 0; i < 256; ++i) in[i] = static_cast<uint8_t>(i);
  View from = ctx.in[0], to = ctx.out[0];
  from.data = in.data(), to.data = out.data();
  RunContext run;
  run.params = reference.params.get();
  run.in = {&from, 1}, run.out = {&to, 1};
  run.tasks = {0, 256};
  reference.run(run);
  return out;
}

struct VectorQuantize {
  void (*run)(const simd::QuantizeU8&) = nullptr;
  simd::QuantizeU8 args;
};

KernelCode RunQuantize(const RunContext& ctx) {
  const auto& p = ctx.As<VectorQuantize>();
  simd::QuantizeU8 args = p.args;
  args.in = ctx.in[0].as<float>() + ctx.tasks.begin;
  args.out = ctx.out[0].mut<uint8_t>() + ctx.tasks.begin;
  args.n = ctx.tasks.end - ctx.tasks.begin;
  p.run(args);
  return KernelCode::kOk;
}

struct VectorDequantize {
  void (*run)(const simd::DequantizeU8&) = nullptr;
  simd::DequantizeU8 args;
};

KernelCode RunDequantize(const RunContext& ctx) {
  const auto& p = ctx.As<VectorDequantize>();
  simd::DequantizeU8 args = p.args;
  args.in = ctx.in[0].as<uint8_t>() + ctx.tasks.begin;
  args.out = ctx.out[0].mut<float>() + ctx.tasks.begin;
  args.n = ctx.tasks.end - ctx.tasks.begin;
  p.run(args);
  return KernelCode::kOk;
}

}  // namespace

Status PrepareVectorBinary(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  const auto& p = *static_cast<const BinaryParams*>(reference.params.get());
  const auto kind = BinaryKindOf(ctx.type);
  if (!kind) return Decline(why_not, "no kernel for this operator");
  if (ctx.out[0].type == DType::kFloat32) {
    VectorBinary<simd::BinaryF32> v{p.broadcast, kernels->binary_f32, {}};
    v.args.kind = *kind;
    v.args.lo = p.lo, v.args.hi = p.hi;
    FinishBinary(ctx, reference, v, prepared);
  } else if (AllStoredU8(ctx)) {
    VectorBinary<simd::BinaryU8> v{p.broadcast, kernels->binary_u8, {}};
    v.args = BytesOf(*kind, p.a, p.b, p.requant);
    v.args.ma = p.multiplier_a, v.args.mb = p.multiplier_b;
    FinishBinary(ctx, reference, v, prepared);
  } else {
    return Decline(why_not, "serves float32 and 8-bit activations stored as uint8");
  }
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorPRelu(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  const auto& p = *static_cast<const PReluParams*>(reference.params.get());
  if (ctx.out[0].type == DType::kFloat32) {
    VectorBinary<simd::BinaryF32> v{p.broadcast, kernels->binary_f32, {}};
    v.args.kind = BinaryKind::kPRelu;
    v.args.lo = -INFINITY, v.args.hi = INFINITY;
    FinishBinary(ctx, reference, v, prepared);
  } else if (AllStoredU8(ctx)) {
    VectorBinary<simd::BinaryU8> v{p.broadcast, kernels->binary_u8, {}};
    v.args = BytesOf(BinaryKind::kPRelu, p.x, p.alpha, p.requant);
    v.args.ma = p.multiplier_positive, v.args.mb = p.multiplier_negative;
    FinishBinary(ctx, reference, v, prepared);
  } else {
    return Decline(why_not, "serves float32 and 8-bit activations stored as uint8");
  }
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorUnary(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (ctx.in[0].type != DType::kFloat32) return Decline(why_not, "serves float32");
  const auto& p = *static_cast<const UnaryParams*>(reference.params.get());
  const auto* row = std::find_if(std::begin(kUnary), std::end(kUnary),
                                 [&](const UnaryRow& r) { return r.type == ctx.type; });
  if (row == std::end(kUnary)) return Decline(why_not, "no kernel for this function");
  if (ctx.type == OpType::kGelu && !p.approximate) {
    return Decline(why_not, "serves the approximate form only");
  }
  VectorUnary v{kernels->unary_f32, {}};
  v.args.kind = row->kind;
  v.args.alpha = p.alpha;
  TakeOver(ctx, reference, row->cost, prepared);
  prepared->run = &RunUnary;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorTable(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  const auto one_byte = [](DType t) { return DTypeSize(t) == 1; };
  if (!one_byte(ctx.in[0].type) || !one_byte(ctx.out[0].type)) {
    return Decline(why_not, "serves 8-bit inputs and outputs");
  }
  VectorTable v{kernels->table_u8, TableOf(ctx, reference)};
  if (kernels->table_u8_vbmi != nullptr && HostCpu().avx512vbmi) v.run = kernels->table_u8_vbmi;
  TakeOver(ctx, reference, 0.5, prepared);
  prepared->run = &RunTable;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorCast(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                         std::string* why_not) {
  *accepted = false;
  if (ctx.in[0].type != DType::kUint8 || ctx.out[0].type != DType::kFloat32) {
    return PrepareVectorTable(ctx, prepared, accepted, why_not);
  }
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  VectorDequantize v{kernels->dequantize_u8, {}};
  v.args.zero_point = IsStoredU8(ctx.in[0]) ? ctx.act_bias : 0;  // canonical int8, or plain
  v.args.lo = -INFINITY, v.args.hi = INFINITY;
  TakeOver(ctx, reference, 1, prepared);
  prepared->run = &RunDequantize;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorQuantize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                             std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (ctx.in[0].type != DType::kFloat32) {
    return PrepareVectorTable(ctx, prepared, accepted, why_not);
  }
  if (DTypeSize(ctx.out[0].type) != 1) return Decline(why_not, "serves 8-bit outputs");
  const auto& p = *static_cast<const QuantizeParams*>(reference.params.get());
  if (ctx.out[0].type != DType::kUint8) return Decline(why_not, "serves outputs stored as uint8");
  VectorQuantize v{kernels->quantize_u8, {}};
  v.args.scale = p.scale_out;
  v.args.store = StoreOf(p.requant);
  TakeOver(ctx, reference, 2, prepared);
  prepared->run = &RunQuantize;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorDequantize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                               std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (ctx.in[0].type != DType::kUint8) return Decline(why_not, "serves inputs stored as uint8");
  const auto& p = *static_cast<const DequantizeParams*>(reference.params.get());
  if (p.scale.size() != 1) return Decline(why_not, "a scale per channel");
  VectorDequantize v{kernels->dequantize_u8, {}};
  v.args.zero_point = static_cast<int32_t>(p.zero_point[0]);
  v.args.scale = p.scale[0], v.args.lo = p.lo, v.args.hi = p.hi;
  TakeOver(ctx, reference, 1, prepared);
  prepared->run = &RunDequantize;
  prepared->SetParams(v);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
