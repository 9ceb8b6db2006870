// BatchMatMul: x[..., M, K] times y[..., K, N] -> [..., M, N]; adj_x, adj_y: the last two axes of x
// or y are swapped. The axes in front broadcast as in numpy. Both are activations: no bias, one
// multiplier f32(f64(sx) * f64(sy) / f64(s_out)).
//
// A task is one panel of 16 columns of one matrix: the panel is packed into scratch in the order of
// the weights (docs/layout.md), then meets every row of x. Arithmetic: docs/arithmetic.md, 4
// (batch_matmul.cc).
#include "kernels/batch_matmul.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/hybrid.h"
#include "kernels/options.h"
#include "kernels/pack.h"
#include "kernels/product.h"
#include "kernels/weighted.h"

namespace whit {
namespace {

constexpr int64_t kBlockRows = 12;

// The four kinds. P: a panel's element, A: a row's element.
struct Int8Kind {
  using Src = uint8_t;
  using P = int8_t;
  using A = int16_t;
  using Acc = int32_t;
  static constexpr int64_t kGroup = 4;  // k that lie together for one column
  static P ToPanel(const MatMul& p, Src v) { return static_cast<P>(v ^ p.y_code.flip); }
  static void Row(const MatMul& p, const Src* row, A* dst) {
    WidenI8(row, p.k, p.x_code.flip, static_cast<int16_t>(p.x_code.zero_point), dst);
  }
  static void Add(const MatMul& p, const A* a, int64_t count, const P* panel, Acc (*acc)[16]) {
    AddPanelI8(p.wide, a, WidenedLength(p.k), count, panel, 16, WidenedLength(p.k) / 4, acc);
  }
  // sum (x - zx)(y - zy) = sum (x - zx) y - zy * sum (x - zx).
  static Acc Start(const MatMul& p, const A* a) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < WidenedLength(p.k); ++i) sum += static_cast<uint32_t>(int32_t{a[i]});
    return static_cast<Acc>(0 - static_cast<uint32_t>(p.y_code.zero_point) * sum);
  }
  static int32_t Finish(const MatMul& p, Acc acc) {
    return Requantize(acc, p.multiplier, p.requant);
  }
};

struct Int16Kind {
  using Src = int16_t;
  using P = int16_t;
  using A = int16_t;
  using Acc = int64_t;
  static constexpr int64_t kGroup = 1;
  static P ToPanel(const MatMul&, Src v) { return v; }
  static void Row(const MatMul& p, const Src* row, A* dst) { std::copy_n(row, p.k, dst); }
  static void Add(const MatMul& p, const A* a, int64_t count, const P* panel, Acc (*acc)[16]) {
    for (int64_t r = 0; r < count; ++r) {
      const A* x = a + r * WidenedLength(p.k);
      for (int64_t k = 0; k < p.k; ++k) {
        for (int c = 0; c < 16; ++c) acc[r][c] += int32_t{x[k]} * int32_t{panel[16 * k + c]};
      }
    }
  }
  static Acc Start(const MatMul&, const A*) { return 0; }
  static int32_t Finish(const MatMul& p, Acc acc) {
    return Requantize64(acc, p.multiplier, p.requant);
  }
};

struct FloatKind {
  using Src = float;
  using P = float;
  using A = float;
  using Acc = float;
  static constexpr int64_t kGroup = 1;
  static P ToPanel(const MatMul&, Src v) { return v; }
  static void Row(const MatMul& p, const Src* row, A* dst) { std::copy_n(row, p.k, dst); }
  static void Add(const MatMul& p, const A* a, int64_t count, const P* panel, Acc (*acc)[16]) {
    AddPanelF32(a, WidenedLength(p.k), count, panel, p.k, acc);
  }
  static Acc Start(const MatMul&, const A*) { return 0; }
  static float Finish(const MatMul& p, Acc acc) { return ClampOrNan(acc, p.lo, p.hi); }
};

template <typename Kind>
class Worker {
 public:
  using Src = typename Kind::Src;
  using P = typename Kind::P;
  using A = typename Kind::A;
  using Acc = typename Kind::Acc;

  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<MatMul>()),
        out_(ctx.out[0]),
        panel_(reinterpret_cast<P*>(ctx.scratch)),
        rows_(reinterpret_cast<A*>(ctx.scratch + p_.panel_bytes)),
        column_(reinterpret_cast<Src*>(rows_ + kBlockRows * WidenedLength(p_.k))),
        x_(ctx.in[0].template as<Src>()),
        y_(ctx.in[1].template as<Src>()) {}

  /// Task t is panel t % panels of matrix t / panels.
  void Run(TaskRange tasks) {
    for (int64_t t = tasks.begin; t < tasks.end; ++t) {
      const int64_t matrix = t / p_.panels, n = t % p_.panels * 16;
      const MatMul::Offsets at = p_.At(matrix);
      PackPanel(y_ + at.y, n);
      for (int64_t row = 0; row < p_.m; row += kBlockRows) {
        RunBlock(x_ + at.x, row, std::min(kBlockRows, p_.m - row), matrix, n);
      }
    }
  }

 private:
  /// Columns n .. n+15 of y; columns and k that do not exist are 0.
  void PackPanel(const Src* y, int64_t n) {
    constexpr int64_t kGroup = Kind::kGroup;
    const int64_t count = std::min<int64_t>(16, p_.n - n);
    std::fill_n(panel_, 16 * (kGroup == 1 ? p_.k : WidenedLength(p_.k)), P{0});
    int64_t k = 0;
    if constexpr (kGroup == 4) {
      for (; k + 4 <= p_.k; k += 4) PackStep(y, n, count, k);
    }
    for (; k < p_.k; ++k) {
      P* to = panel_ + k / kGroup * 16 * kGroup + k % kGroup;
      for (int64_t c = 0; c < count; ++c) {
        const int64_t from = p_.adj_y ? (n + c) * p_.k + k : k * p_.n + n + c;
        to[c * kGroup] = Kind::ToPanel(p_, y[from]);
      }
    }
  }

  /// k .. k+3 of bytes, a word a column.
  void PackStep(const uint8_t* y, int64_t n, int64_t count, int64_t k) {
    const uint32_t flip = 0x01010101u * p_.y_code.flip;
    uint32_t words[16];
    if (p_.adj_y) {
      for (int64_t c = 0; c < count; ++c) std::memcpy(words + c, y + (n + c) * p_.k + k, 4);
    } else {
      const uint8_t* row = y + k * p_.n + n;
      const auto put = [&](int64_t c) {
        const auto at = [&](int64_t i) { return static_cast<uint32_t>(row[i * p_.n + c]); };
        words[c] = at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
      };
      if (count == 16) {
        for (int64_t c = 0; c < 16; ++c) put(c);
      } else {
        for (int64_t c = 0; c < count; ++c) put(c);
      }
    }
    for (int64_t c = 0; c < count; ++c) words[c] ^= flip;
    std::memcpy(panel_ + 16 * k, words, static_cast<size_t>(4 * count));
  }

  void RunBlock(const Src* x, int64_t row, int64_t rows, int64_t matrix, int64_t n) {
    const int64_t stride = WidenedLength(p_.k), count = std::min<int64_t>(16, p_.n - n);
    for (int64_t r = 0; r < rows; ++r) Kind::Row(p_, RowOfX(x, row + r), rows_ + r * stride);
    Acc acc[kBlockRows][16];
    for (int64_t r = 0; r < rows; ++r) std::fill_n(acc[r], 16, Kind::Start(p_, rows_ + r * stride));
    Kind::Add(p_, rows_, rows, panel_, acc);
    for (int64_t r = 0; r < rows; ++r) Store(acc[r], (matrix * p_.m + row + r) * p_.n + n, count);
  }

  const Src* RowOfX(const Src* x, int64_t row) {
    if (!p_.adj_x) return x + row * p_.k;
    for (int64_t k = 0; k < p_.k; ++k) column_[k] = x[k * p_.m + row];
    return column_;
  }

  void Store(const Acc* acc, int64_t at, int64_t count) {
    if constexpr (std::is_same_v<Acc, float>) {
      StoreAs(acc, out_.template mut<float>() + at, count);
    } else if (DTypeSize(out_.type) == 1) {
      StoreAs(acc, out_.template mut<uint8_t>() + at, count);
    } else {
      StoreAs(acc, out_.template mut<int16_t>() + at, count);
    }
  }

  template <typename T>
  void StoreAs(const Acc* acc, T* __restrict out, int64_t count) {
    const MatMul p = p_;  // the compiler need not think that `out` changes it
    if (count == 16) {
      for (int64_t c = 0; c < 16; ++c) out[c] = static_cast<T>(Kind::Finish(p, acc[c]));
    } else {
      for (int64_t c = 0; c < count; ++c) out[c] = static_cast<T>(Kind::Finish(p, acc[c]));
    }
  }

  const MatMul& p_;
  const View& out_;
  P* panel_;
  A* rows_;      // [kBlockRows][WidenedLength(k)]
  Src* column_;  // [k], a row of a transposed x
  const Src* x_;
  const Src* y_;
};

template <typename Kind>
KernelCode Run(const RunContext& ctx) {
  Worker<Kind>(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

/// Strides of an operand along the broadcast axes, aligned at the last of them.
Status BatchStrides(const PrepareContext& ctx, const Shape& s, const Shape& batch,
                    std::array<int64_t, kMaxRank>* strides) {
  int64_t stride = s.Product(s.rank() - 2, s.rank());
  for (int i = 0; i < s.rank() - 2; ++i) {
    const int from = s.rank() - 3 - i, to = batch.rank() - 1 - i;
    if (s[from] != batch[to] && s[from] != 1) {
      return ctx.Error(StatusCode::kInvalidModel, "inputs " + ctx.in[0].shape.ToString() + " and " +
                                                      ctx.in[1].shape.ToString() +
                                                      " do not broadcast");
    }
    (*strides)[static_cast<size_t>(to)] = s[from] == 1 ? 0 : stride;
    stride *= s[from];
  }
  return OkStatus();
}

/// Shapes: fills m, k, n, batch and strides.
Status ReadShapes(const PrepareContext& ctx, MatMul* p) {
  const Shape& x = ctx.in[0].shape;
  const Shape& y = ctx.in[1].shape;
  if (x.rank() < 2 || y.rank() < 2) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "inputs need two axes, are " + x.ToString() + " and " + y.ToString());
  }
  const int64_t x_rows = x[x.rank() - 2], y_rows = y[y.rank() - 2];
  p->m = p->adj_x ? x.back() : x_rows;
  p->k = p->adj_x ? x_rows : x.back();
  p->n = p->adj_y ? y_rows : y.back();
  constexpr int64_t kMaxK = int64_t{1} << 24;  // bounds scratch: 16 columns and 8 rows of K
  if (p->k > kMaxK) {
    return ctx.Error(StatusCode::kUnsupported,
                     "inner size " + std::to_string(p->k) + " exceeds " + std::to_string(kMaxK));
  }
  const int64_t y_k = p->adj_y ? y.back() : y_rows;
  if (y_k != p->k) {
    return ctx.Error(StatusCode::kInvalidModel, "inner sizes " + std::to_string(p->k) + " of " +
                                                    x.ToString() + " and " + std::to_string(y_k) +
                                                    " of " + y.ToString() + " differ");
  }
  const int rank = std::max(x.rank(), y.rank());
  p->batch = Shape::OfRank(rank - 2);
  for (int i = 0; i < rank - 2; ++i) {
    const int xi = x.rank() - 3 - i, yi = y.rank() - 3 - i;
    const int64_t xd = xi >= 0 ? x[xi] : 1, yd = yi >= 0 ? y[yi] : 1;
    p->batch[rank - 3 - i] = xd == 1 ? yd : xd;
  }
  WHIT_RETURN_IF_ERROR(BatchStrides(ctx, x, p->batch, &p->x_stride));
  WHIT_RETURN_IF_ERROR(BatchStrides(ctx, y, p->batch, &p->y_stride));
  Shape out = Shape::OfRank(rank);
  for (int i = 0; i < rank - 2; ++i) out[i] = p->batch[i];
  out[rank - 2] = p->m;
  out[rank - 1] = p->n;
  return ctx.ExpectOutShape(0, out);
}

Status ReadQuantization(const PrepareContext& ctx, const fbs::BatchMatMulOptions& options,
                        MatMul* p) {
  WHIT_ASSIGN_OR_RETURN(p->x_code, ReadInputCode(ctx, 0));
  WHIT_ASSIGN_OR_RETURN(p->y_code, ReadInputCode(ctx, 1));
  WHIT_ASSIGN_OR_RETURN(p->requant, MakeRequant(ctx, ctx.out[0], options.lo(), options.hi()));
  p->multiplier =
      static_cast<float>(double{ctx.in[0].quant.scale[0]} * double{ctx.in[1].quant.scale[0]} /
                         double{ctx.out[0].quant.scale[0]});
  if (ctx.in[0].type != DType::kInt16 && !AccumulatorFits(p->k, 0, /*has_zero_point=*/true)) {
    return ctx.Error(StatusCode::kUnsupported,
                     "a sum of " + std::to_string(p->k) + " products can exceed 2^31");
  }
  return OkStatus();
}

template <typename Kind>
void Finish(const PrepareContext& ctx, MatMul p, Prepared* prepared) {
  const auto padded = static_cast<size_t>(WidenedLength(p.k));
  p.panel_bytes = padded * 16 * sizeof(typename Kind::P);
  prepared->scratch_per_thread = p.panel_bytes + kBlockRows * padded * sizeof(typename Kind::A) +
                                 padded * sizeof(typename Kind::Src);
  const int64_t matrices = p.batch.elements();
  prepared->tasks = p.m == 0 ? 0 : matrices * p.panels;
  prepared->macs = SaturatingProduct(matrices * p.m, p.n, p.k);
  prepared->exact = ctx.out[0].type != DType::kFloat32;
  prepared->run = &Run<Kind>;
  prepared->SetParams(p);
}

}  // namespace

const char* const kTypesBatchMatMul = "int8 uint8 int16 float32";

Status PrepareBatchMatMul(const PrepareContext& ctx, Prepared* prepared) {
  return PrepareBatchMatMulOn(ctx, nullptr, prepared);
}

Status PrepareBatchMatMulOn(const PrepareContext& ctx, WideProductFn wide, Prepared* prepared) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::BatchMatMulOptions>(ctx));
  const DType x = ctx.in[0].type, out = ctx.out[0].type;
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("input 0", x, {DType::kFloat32, DType::kInt8, DType::kUint8, DType::kInt16}));
  // An 8-bit constant and an activation may be stored differently.
  const DType other = x == DType::kInt8 ? DType::kUint8 : x == DType::kUint8 ? DType::kInt8 : x;
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("input 1", ctx.in[1].type, {x, other}));
  MatMul p;
  p.wide = wide;
  p.adj_x = options->adj_x();
  p.adj_y = options->adj_y();
  WHIT_RETURN_IF_ERROR(ReadShapes(ctx, &p));
  p.panels = CeilDiv(p.n, 16);
  if (x == DType::kFloat32) {
    WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", out, {DType::kFloat32}));
    p.lo = options->lo();
    p.hi = options->hi();
    Finish<FloatKind>(ctx, p, prepared);
    return OkStatus();
  }
  WHIT_RETURN_IF_ERROR(ReadQuantization(ctx, *options, &p));
  if (x == DType::kInt16) {
    WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", out, {DType::kInt16}));
    Finish<Int16Kind>(ctx, p, prepared);
  } else {
    Finish<Int8Kind>(ctx, p, prepared);
  }
  return OkStatus();
}

}  // namespace whit
