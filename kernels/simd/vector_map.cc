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
#include "kernels/table.h"
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
  if (ctx.tasks.begin >= ctx.tasks.end) return KernelCode::kOk;  // perhaps rows of no elements
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
  TakeOver(ctx, reference, p.args.kind == BinaryKind::kDiv ? 0.9 : 0.7, prepared);
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

bool AllCodes(const PrepareContext& ctx) {
  return IsCodes(ctx, ctx.in[0]) && IsCodes(ctx, ctx.in[1]) && IsCodes(ctx, ctx.out[0]);
}

// Of either width; Params: BinaryParams or PReluParams seen through the arguments.
template <typename T>
simd::BinaryCodes<T> CodesOf(const PrepareContext& ctx, BinaryKind kind, const OperandInfo& a,
                             const OperandInfo& b, const Requant& requant, float ma, float mb) {
  const int32_t canonical = sizeof(T) == 1 ? 128 : 0;  // where codes of canonical zeros lie
  simd::BinaryCodes<T> args;
  args.kind = kind;
  args.a_zero = a.zero_point + canonical, args.b_zero = b.zero_point + canonical;
  args.ma = ma, args.mb = mb;
  args.store = StoreOf<T>(ctx, requant);
  return args;
}

// Quantized operands: false where they are stored otherwise than these kernels want.
bool PrepareCodes(const PrepareContext& ctx, const Prepared& reference, const Broadcast& broadcast,
                  BinaryKind kind, const OperandInfo& a, const OperandInfo& b,
                  const Requant& requant, float ma, float mb, Prepared* prepared) {
  const simd::VectorKernels& kernels = *VectorOf(ctx);
  if (AllCodes(ctx)) {
    VectorBinary<simd::BinaryU8> v{broadcast, kernels.binary_u8,
                                   CodesOf<uint8_t>(ctx, kind, a, b, requant, ma, mb)};
    FinishBinary(ctx, reference, v, prepared);
    return true;
  }
  if (ctx.out[0].type != DType::kInt16) return false;
  VectorBinary<simd::BinaryI16> v{broadcast, kernels.binary_i16,
                                  CodesOf<int16_t>(ctx, kind, a, b, requant, ma, mb)};
  FinishBinary(ctx, reference, v, prepared);
  return true;
}

// Floats.
void PrepareFloats(const PrepareContext& ctx, const Prepared& reference, const Broadcast& broadcast,
                   BinaryKind kind, float lo, float hi, Prepared* prepared) {
  VectorBinary<simd::BinaryF32> v{broadcast, VectorOf(ctx)->binary_f32, {}};
  v.args.kind = kind;
  v.args.lo = lo, v.args.hi = hi;
  FinishBinary(ctx, reference, v, prepared);
}

constexpr const char* kCodesOrFloats =
    "serves float32, int16 and 8-bit activations as the tier stores them";

// ---- one operand ----

// Kernels that map elements one to one: arguments with in, out and n.
template <typename Args>
struct VectorMap {
  void (*run)(const Args&) = nullptr;
  Args args;
};

template <typename Args>
KernelCode RunMap(const RunContext& ctx) {
  using In = std::remove_const_t<std::remove_pointer_t<decltype(Args::in)>>;
  using Out = std::remove_pointer_t<decltype(Args::out)>;
  const auto& p = ctx.As<VectorMap<Args>>();
  Args args = p.args;
  args.in = ctx.in[0].as<In>() + ctx.tasks.begin;
  args.out = ctx.out[0].mut<Out>() + ctx.tasks.begin;
  args.n = ctx.tasks.end - ctx.tasks.begin;
  p.run(args);
  return KernelCode::kOk;
}

template <typename Args>
void FinishMap(const PrepareContext& ctx, const Prepared& reference, void (*run)(const Args&),
               const Args& args, double cost, Prepared* prepared) {
  TakeOver(ctx, reference, cost, prepared);
  prepared->run = &RunMap<Args>;
  prepared->SetParams(VectorMap<Args>{run, args});
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
    {OpType::kHardSwish, UnaryKind::kHardSwish, 0.8},
    {OpType::kLogistic, UnaryKind::kLogistic, 3},
    {OpType::kTanh, UnaryKind::kTanh, 4.5},
    {OpType::kExp, UnaryKind::kExp, 2.5},
    {OpType::kAbs, UnaryKind::kAbs, 0.7},
    {OpType::kNeg, UnaryKind::kNeg, 0.7},
    {OpType::kSquare, UnaryKind::kSquare, 0.7},
    {OpType::kSqrt, UnaryKind::kSqrt, 1},
    {OpType::kRsqrt, UnaryKind::kRsqrt, 2},
    {OpType::kGelu, UnaryKind::kGeluTanh, 4},
    {OpType::kElu, UnaryKind::kElu, 3.5},
    {OpType::kFloor, UnaryKind::kFloor, 0.7},
    {OpType::kCeil, UnaryKind::kCeil, 0.7},
    {OpType::kRound, UnaryKind::kRound, 0.7},
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

struct VectorTable16 {
  void (*run)(const simd::TableI16&) = nullptr;
  std::array<int16_t, kTable16Entries> points;
};

KernelCode RunTable16(const RunContext& ctx) {
  const auto& p = ctx.As<VectorTable16>();
  const int64_t at = ctx.tasks.begin;
  p.run({p.points.data(), ctx.in[0].as<int16_t>() + at, ctx.out[0].mut<int16_t>() + at,
         ctx.tasks.end - at});
  return KernelCode::kOk;
}

template <typename T>
simd::QuantizeTo<T> QuantizeArgs(const PrepareContext& ctx, const QuantizeParams& p) {
  simd::QuantizeTo<T> args;
  args.scale = p.scale_out;
  args.store = StoreOf<T>(ctx, p.requant);
  return args;
}

template <typename From, typename To>
simd::RescaleCodes<From, To> RescaleArgs(const PrepareContext& ctx, const QuantizeParams& p) {
  simd::RescaleCodes<From, To> args;
  args.zero_point = static_cast<int32_t>(p.zero_in) + (sizeof(From) == 1 ? CodeShift(ctx) : 0);
  args.multiplier = p.multiplier;
  args.store = StoreOf<To>(ctx, p.requant);
  return args;
}

template <typename T>
simd::DequantizeFrom<T> DequantizeArgs(int64_t zero_point, float scale, float lo, float hi) {
  simd::DequantizeFrom<T> args;
  args.zero_point = static_cast<int32_t>(zero_point);
  args.scale = scale;
  args.lo = lo, args.hi = hi;
  return args;
}

// Quantize but for 8 bits to 8 bits; false for types that have no kernel.
bool QuantizeByTypes(const PrepareContext& ctx, const Prepared& reference, Prepared* prepared) {
  const simd::VectorKernels& k = *VectorOf(ctx);
  const auto& p = *static_cast<const QuantizeParams*>(reference.params.get());
  const DType in = ctx.in[0].type, out = ctx.out[0].type;
  const DType stored = simd::StoredType(*ctx.tier);
  const auto finish = [&](auto run, const auto& args, double cost) {
    FinishMap(ctx, reference, run, args, cost, prepared);
    return true;
  };
  if (in == DType::kFloat32) {
    if (out == stored) return finish(k.quantize_u8, QuantizeArgs<uint8_t>(ctx, p), 0.6);
    if (out == DType::kInt16) return finish(k.quantize_i16, QuantizeArgs<int16_t>(ctx, p), 0.6);
  }
  if (in == stored && out == DType::kInt16) {
    return finish(k.rescale_u8_to_i16, RescaleArgs<uint8_t, int16_t>(ctx, p), 1);
  }
  if (in == DType::kInt16) {
    if (out == stored) return finish(k.rescale_i16_to_u8, RescaleArgs<int16_t, uint8_t>(ctx, p), 1);
    if (out == DType::kInt16)
      return finish(k.rescale_i16, RescaleArgs<int16_t, int16_t>(ctx, p), 1);
  }
  return false;
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
    PrepareFloats(ctx, reference, p.broadcast, *kind, p.lo, p.hi, prepared);
  } else if (!PrepareCodes(ctx, reference, p.broadcast, *kind, p.a, p.b, p.requant, p.multiplier_a,
                           p.multiplier_b, prepared)) {
    return Decline(why_not, kCodesOrFloats);
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
    PrepareFloats(ctx, reference, p.broadcast, BinaryKind::kPRelu, -INFINITY, INFINITY, prepared);
  } else if (!PrepareCodes(ctx, reference, p.broadcast, BinaryKind::kPRelu, p.x, p.alpha, p.requant,
                           p.multiplier_positive, p.multiplier_negative, prepared)) {
    return Decline(why_not, kCodesOrFloats);
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
  simd::UnaryF32 args;
  args.kind = row->kind;
  args.alpha = p.alpha;
  FinishMap(ctx, reference, kernels->unary_f32, args, row->cost, prepared);
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
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (!IsStoredType(ctx, ctx.in[0]) || ctx.out[0].type != DType::kFloat32) {
    return PrepareVectorTable(ctx, prepared, accepted, why_not);
  }
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  // Values of quantized tensors are canonical int8; of plain ones, what is stored.
  const int32_t zero = IsCodes(ctx, ctx.in[0]) ? 128 : CodeShift(ctx);
  FinishMap(ctx, reference, kernels->dequantize_u8,
            DequantizeArgs<uint8_t>(zero, 1, -INFINITY, INFINITY), 1, prepared);
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorQuantize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                             std::string* why_not) {
  *accepted = false;
  if (DTypeSize(ctx.in[0].type) == 1 && DTypeSize(ctx.out[0].type) == 1) {
    return PrepareVectorTable(ctx, prepared, accepted, why_not);
  }
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  if (VectorOf(ctx) == nullptr) return Decline(why_not, "no SIMD tier");
  if (!QuantizeByTypes(ctx, reference, prepared)) {
    return Decline(why_not, "serves float32, int16 and 8 bits as the tier stores them");
  }
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
  const auto& p = *static_cast<const DequantizeParams*>(reference.params.get());
  const DType type = ctx.in[0].type;
  const bool codes = IsCodes(ctx, ctx.in[0]);
  if (!codes && type != DType::kInt16) {
    return Decline(why_not, "serves int16 and 8 bits as the tier stores them");
  }
  if (p.scale.size() != 1) return Decline(why_not, "a scale per channel");
  if (codes) {
    FinishMap(ctx, reference, kernels->dequantize_u8,
              DequantizeArgs<uint8_t>(p.zero_point[0] + CodeShift(ctx), p.scale[0], p.lo, p.hi), 1,
              prepared);
  } else {
    FinishMap(ctx, reference, kernels->dequantize_i16,
              DequantizeArgs<int16_t>(p.zero_point[0], p.scale[0], p.lo, p.hi), 1, prepared);
  }
  *accepted = true;
  return OkStatus();
}

Status PrepareVectorTable16(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                            std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  const simd::VectorKernels* kernels = VectorOf(ctx);
  if (kernels == nullptr) return Decline(why_not, "no SIMD tier");
  if (kernels->table_i16 == nullptr) return Decline(why_not, "this tier cannot gather");
  const auto& p = *static_cast<const Table16Params*>(reference.params.get());
  TakeOver(ctx, reference, 3, prepared);
  prepared->run = &RunTable16;
  prepared->SetParams(VectorTable16{kernels->table_i16, p.points});
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
