// Pad: grows every axis by `before` and `after` elements, filled with a constant or with a mirror
// image.
#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/options.h"
#include "kernels/strides.h"

namespace whit {

const char* const kTypesPad = "float32 int8 uint8 int16 int32 int64 bool";

namespace {

// The axes behind the last padded one form a `block` of contiguous bytes; the last padded axis is
// the row.
struct PadParams {
  fbs::PadMode mode = fbs::PadMode::constant;
  int row_axis = 0;
  std::array<int64_t, kMaxRank> in{}, out{}, before{}, in_stride{};  // stride: rows of the input
  size_t block_bytes = 0;
  size_t element_bytes = 1;
  std::array<uint8_t, 8> value{};
  bool one_byte_value = true;  // every byte of the element is value[0]
};

void Fill(const PadParams& params, uint8_t* to, size_t bytes) {
  if (params.one_byte_value) {
    std::memset(to, params.value[0], bytes);
    return;
  }
  for (size_t at = 0; at < bytes; at += params.element_bytes) {
    std::memcpy(to + at, params.value.data(), params.element_bytes);
  }
}

// Where output index i of an axis comes from; outside [0, n) under `constant`. The amounts were
// checked: one mirror.
int64_t SourceIndex(fbs::PadMode mode, int64_t i, int64_t before, int64_t n) {
  const int64_t at = i - before;
  if (mode == fbs::PadMode::constant || (at >= 0 && at < n)) return at;
  const int64_t edge =
      mode == fbs::PadMode::reflect ? 0 : 1;  // symmetric repeats the border element
  return at < 0 ? -at - edge : 2 * n - 2 + edge - at;
}

void CopyRow(const PadParams& params, const uint8_t* from, uint8_t* to) {
  const auto row = static_cast<size_t>(params.row_axis);
  const int64_t n = params.in[row];
  const size_t block = params.block_bytes;
  const size_t head = static_cast<size_t>(params.before[row]) * block;
  const size_t body = static_cast<size_t>(n) * block;
  const size_t tail = static_cast<size_t>(params.out[row]) * block - head - body;
  if (body != 0) std::memcpy(to + head, from, body);
  if (params.mode == fbs::PadMode::constant) {
    Fill(params, to, head);
    Fill(params, to + head + body, tail);
    return;
  }
  const auto mirror = [&](int64_t i) {
    const int64_t source = SourceIndex(params.mode, i, params.before[row], n);
    std::memcpy(to + static_cast<size_t>(i) * block, from + static_cast<size_t>(source) * block,
                block);
  };
  for (int64_t i = 0; i < params.before[row]; ++i) mirror(i);
  for (int64_t i = params.before[row] + n; i < params.out[row]; ++i) mirror(i);
}

// A task is one row of the output.
KernelCode RunPad(const RunContext& ctx) {
  const auto& params = ctx.As<PadParams>();
  const auto row = static_cast<size_t>(params.row_axis);
  const size_t row_bytes = static_cast<size_t>(params.out[row]) * params.block_bytes;
  const size_t in_row_bytes = static_cast<size_t>(params.in[row]) * params.block_bytes;
  for (int64_t task = ctx.tasks.begin; task < ctx.tasks.end; ++task) {
    uint8_t* to = ctx.out[0].mut<uint8_t>() + static_cast<size_t>(task) * row_bytes;
    int64_t rest = task, source_row = 0;
    bool inside = true;
    for (size_t a = row; a-- > 0;) {
      const int64_t at =
          SourceIndex(params.mode, rest % params.out[a], params.before[a], params.in[a]);
      rest /= params.out[a];
      inside = inside && at >= 0 && at < params.in[a];
      source_row += at * params.in_stride[a];
    }
    if (!inside) {
      Fill(params, to, row_bytes);
    } else {
      CopyRow(params, ctx.in[0].as<uint8_t>() + source_row * static_cast<int64_t>(in_row_bytes),
              to);
    }
  }
  return KernelCode::kOk;
}

template <typename T>
bool StoreValue(int64_t value, PadParams* params) {
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) return false;
  const T stored = static_cast<T>(value);
  std::memcpy(params->value.data(), &stored, sizeof(T));
  return true;
}

// The constant in the storage of the output: value for floats, value_i64 (canonical units) for the
// rest.
Status ReadValue(const PrepareContext& ctx, const fbs::PadOptions& options, PadParams* params) {
  const View& y = ctx.out[0];
  const bool shifted = y.type == DType::kUint8 && y.quant.present();
  const int64_t value = options.value_i64();
  bool fits = true;
  switch (y.type) {
    case DType::kFloat32: {
      const float f = static_cast<float>(options.value());
      std::memcpy(params->value.data(), &f, sizeof(f));
      break;
    }
    case DType::kInt8:
      fits = StoreValue<int8_t>(value, params);
      break;
    case DType::kUint8:
      fits = value >= -256 && value <= 255 &&
             StoreValue<uint8_t>(value + (shifted ? ctx.act_bias : 0), params);
      break;
    case DType::kInt16:
      fits = StoreValue<int16_t>(value, params);
      break;
    case DType::kInt32:
      fits = StoreValue<int32_t>(value, params);
      break;
    case DType::kInt64:
      fits = StoreValue<int64_t>(value, params);
      break;
    default:
      fits = value == 0 || value == 1;
      params->value[0] = static_cast<uint8_t>(value);
  }
  for (size_t i = 1; i < params->element_bytes; ++i) {
    params->one_byte_value = params->one_byte_value && params->value[i] == params->value[0];
  }
  if (fits || params->mode != fbs::PadMode::constant) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   "the value " + std::to_string(value) + " is outside " + DTypeName(y.type));
}

// Reads amounts, proves the output's shape and, for mirrors, that one mirror image suffices.
Status ReadAmounts(const PrepareContext& ctx, const fbs::PadOptions& options, PadParams* params) {
  const Shape& x = ctx.in[0].shape;
  const auto count = [](const auto* v) { return v == nullptr ? 0 : static_cast<int>(v->size()); };
  if (count(options.before()) != x.rank() || count(options.after()) != x.rank()) {
    return ctx.Error(StatusCode::kInvalidModel, std::to_string(count(options.before())) + " and " +
                                                    std::to_string(count(options.after())) +
                                                    " amounts, the input has rank " +
                                                    std::to_string(x.rank()));
  }
  Shape want = x;
  for (int a = 0; a < x.rank(); ++a) {
    const auto at = static_cast<flatbuffers::uoffset_t>(a);
    const int64_t before = options.before()->Get(at), after = options.after()->Get(at);
    params->in[at] = x[a];
    params->before[at] = before;
    want[a] = params->out[at] = x[a] + before + after;
    const int64_t most = x[a] - (params->mode == fbs::PadMode::reflect ? 1 : 0);
    if (before + after > 0) params->row_axis = a;
    if (params->mode != fbs::PadMode::constant && before + after > 0 &&
        std::max(before, after) > most) {
      return ctx.Error(StatusCode::kInvalidModel, "axis " + std::to_string(a) + ": a mirror of " +
                                                      std::to_string(std::max(before, after)) +
                                                      " elements, the axis allows " +
                                                      std::to_string(most));
    }
  }
  return ctx.ExpectOutShape(0, want);
}

}  // namespace

Status PreparePad(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the input", ctx.in[0].type,
                                      {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16,
                                       DType::kInt32, DType::kInt64, DType::kBool}));
  WHIT_RETURN_IF_ERROR(ExpectSameElements(ctx, 0, 0));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::PadOptions>(ctx));
  PadParams params;
  params.mode = options->mode();
  if (params.mode > fbs::PadMode::symmetric) {
    return ctx.Error(
        StatusCode::kInvalidModel,
        "mode " + std::to_string(static_cast<int>(params.mode)) + " of 3 does not exist");
  }
  params.element_bytes = DTypeSize(ctx.in[0].type);
  WHIT_RETURN_IF_ERROR(ReadAmounts(ctx, *options, &params));
  WHIT_RETURN_IF_ERROR(ReadValue(ctx, *options, &params));

  const Shape& x = ctx.in[0].shape;
  const Shape& y = ctx.out[0].shape;
  p->run = &RunPad;
  p->macs = y.elements();
  if (x.rank() == 0) {  // a scalar is a row of one
    params.in[0] = params.out[0] = 1;
    params.block_bytes = params.element_bytes;
    p->tasks = 1;
  } else {
    const int row = params.row_axis;
    params.block_bytes = static_cast<size_t>(x.Product(row + 1, x.rank())) * params.element_bytes;
    for (int a = 0; a < row; ++a) params.in_stride[static_cast<size_t>(a)] = x.Product(a + 1, row);
    p->tasks = y.elements() == 0 ? 0 : y.Product(0, row);
  }
  p->SetParams(params);
  return OkStatus();
}

}  // namespace whit
