// Fill repeats one value, Range counts, Shape tells its input's dimensions. The importer folds what
// it can; these run where a value is only known then.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/options.h"

namespace whit {

const char* const kTypesFill = "any";
const char* const kTypesRange = "float32 int32 int64";
const char* const kTypesShape = "any";

namespace {

// Elements a task of Fill writes: enough to be worth a thread's turn.
constexpr int64_t kFillBlock = 4096;

struct FillParams {
  size_t element_bytes = 1;
};

KernelCode RunFill(const RunContext& ctx) {
  const size_t bytes = ctx.As<FillParams>().element_bytes;
  const int64_t count = ctx.out[0].elements();
  const int64_t end = std::min(ctx.tasks.end * kFillBlock, count);
  for (int64_t i = ctx.tasks.begin * kFillBlock; i < end; ++i) {
    std::memcpy(ctx.out[0].mut<uint8_t>() + static_cast<size_t>(i) * bytes, ctx.in[0].data, bytes);
  }
  return KernelCode::kOk;
}

// ---- Range ----

struct NoParams {};

// Elements of [start, limit) by delta != 0.
int64_t IntRangeCount(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? start >= limit : start <= limit) return 0;
  const uint64_t span = delta > 0 ? static_cast<uint64_t>(limit) - static_cast<uint64_t>(start)
                                  : static_cast<uint64_t>(start) - static_cast<uint64_t>(limit);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : 0 - static_cast<uint64_t>(delta);
  const uint64_t count = (span - 1) / step + 1;
  return static_cast<int64_t>(std::min<uint64_t>(count, INT64_MAX));
}

int64_t FloatRangeCount(float start, float limit, float delta) {
  const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                 static_cast<double>(delta));
  if (!(count > 0)) return 0;  // NaN too
  return count < 0x1p31 ? static_cast<int64_t>(count) : INT64_MAX;
}

template <typename T>
int64_t RangeCount(T start, T limit, T delta) {
  if constexpr (std::is_same_v<T, float>) return FloatRangeCount(start, limit, delta);
  return IntRangeCount(static_cast<int64_t>(start), static_cast<int64_t>(limit),
                       static_cast<int64_t>(delta));
}

// Integers wrap: the step behind the last element may leave the type.
template <typename T>
T Add(T a, T b) {
  if constexpr (std::is_same_v<T, float>) return a + b;
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// One task: floats are summed up one after the other.
template <typename T>
KernelCode RunRange(const RunContext& ctx) {
  if (ctx.tasks.begin >= ctx.tasks.end) return KernelCode::kOk;
  T value = *ctx.in[0].as<T>();
  const T limit = *ctx.in[1].as<T>(), delta = *ctx.in[2].as<T>();
  if (delta == 0) return KernelCode::kDivisionByZero;
  const int64_t count = ctx.out[0].elements();
  if (RangeCount(value, limit, delta) != count) return KernelCode::kIndexOutOfRange;
  for (int64_t i = 0; i < count; ++i, value = Add(value, delta)) ctx.out[0].mut<T>()[i] = value;
  return KernelCode::kOk;
}

// ---- Shape ----

struct ShapeParams {
  whit::Shape shape;
};

template <typename T>
KernelCode RunShape(const RunContext& ctx) {
  const auto& shape = ctx.As<ShapeParams>().shape;
  for (int64_t a = ctx.tasks.begin; a < ctx.tasks.end; ++a) {
    ctx.out[0].mut<T>()[a] = static_cast<T>(shape[static_cast<int>(a)]);
  }
  return KernelCode::kOk;
}

Status ExpectScalar(const PrepareContext& ctx, size_t i) {
  if (ctx.in[i].elements() == 1) return OkStatus();
  return ctx.Error(
      StatusCode::kInvalidModel,
      "input " + std::to_string(i) + " must be one value, has shape " + ctx.in[i].shape.ToString());
}

}  // namespace

Status PrepareFill(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_RETURN_IF_ERROR(ExpectScalar(ctx, 0));
  p->tasks = (ctx.out[0].elements() + kFillBlock - 1) / kFillBlock;
  p->macs = ctx.out[0].elements();
  p->run = &RunFill;
  p->SetParams(FillParams{DTypeSize(ctx.out[0].type)});
  return OkStatus();
}

Status PrepareRange(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(3, 3));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  const DType type = ctx.out[0].type;
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the output", type, {DType::kFloat32, DType::kInt32, DType::kInt64}));
  for (size_t i = 0; i < 3; ++i) {
    WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, i, 0));
    WHIT_RETURN_IF_ERROR(ExpectScalar(ctx, i));
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, {ctx.out[0].elements()}));
  p->macs = ctx.out[0].elements();
  p->run = type == DType::kFloat32 ? &RunRange<float>
           : type == DType::kInt32 ? &RunRange<int32_t>
                                   : &RunRange<int64_t>;
  p->SetParams(NoParams{});
  return OkStatus();
}

Status PrepareShape(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the output", ctx.out[0].type, {DType::kInt32, DType::kInt64}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, {ctx.in[0].shape.rank()}));
  p->tasks = ctx.in[0].shape.rank();
  p->run = ctx.out[0].type == DType::kInt32 ? &RunShape<int32_t> : &RunShape<int64_t>;
  p->SetParams(ShapeParams{ctx.in[0].shape});
  return OkStatus();
}

}  // namespace whit
