#include "kernels/simd/matmul_f32.h"

#include <algorithm>
#include <cstring>

#include "kernels/batch_matmul.h"
#include "kernels/simd/row_blocks.h"
#include "kernels/simd/tiers.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

/// Packed panels of one task stay in L2 (256 KB on the smallest targets) while the rows pass.
constexpr int64_t kPanelBytes = 96 * 1024;
/// Panels of one task at most: enough for the widest tile, of one row.
constexpr int64_t kMostPanels = 8;
/// Rows of one call: a tile of every tier where they are copied, pointers where not.
constexpr int64_t kCopiedRows = 12, kRows = 256;

struct MatMulF32 {
  MatMul m;  // as the reference sees it
  const simd::F32Kernels* kernels = nullptr;
  int64_t task_panels = 1, matrix_tasks = 1;
  Part panels, copies, rows;
};

class Worker {
 public:
  explicit Worker(const RunContext& ctx)
      : p_(ctx.As<MatMulF32>()),
        m_(p_.m),
        x_(ctx.in[0].as<float>()),
        y_(ctx.in[1].as<float>()),
        out_(ctx.out[0].mut<float>()),
        panels_(p_.panels.In<float>(ctx.scratch)),
        copies_(p_.copies.In<float>(ctx.scratch)),
        rows_(p_.rows.In<const uint8_t*>(ctx.scratch)) {}

  /// Task t is a range of panels, t % matrix_tasks, of matrix t / matrix_tasks.
  void Run(TaskRange tasks) {
    for (int64_t t = tasks.begin; t < tasks.end; ++t) {
      const int64_t matrix = t / p_.matrix_tasks, n = t % p_.matrix_tasks * p_.task_panels * 16;
      const MatMul::Offsets at = m_.At(matrix);
      const int64_t count = std::min(m_.n - n, p_.task_panels * 16);
      for (int64_t c = 0; c < count; c += 16) {
        Pack(y_ + at.y, n + c, std::min<int64_t>(16, count - c), panels_ + c * m_.k);
      }
      RunRows(x_ + at.x, count, out_ + matrix * m_.m * m_.n + n);
    }
  }

 private:
  /// Columns n .. n+count-1 as a panel [k][16].
  void Pack(const float* y, int64_t n, int64_t count, float* panel) const {
    if (m_.adj_y) {
      if (count < 16) std::fill_n(panel, 16 * m_.k, 0.0f);
      for (int64_t c = 0; c < count; ++c) {
        const float* from = y + (n + c) * m_.k;
        for (int64_t k = 0; k < m_.k; ++k) panel[16 * k + c] = from[k];
      }
      return;
    }
    for (int64_t k = 0; k < m_.k; ++k, panel += 16) {
      const float* from = y + k * m_.n + n;
      if (count == 16) {
        std::memcpy(panel, from, 64);
      } else {
        std::fill(std::copy_n(from, count, panel), panel + 16, 0.0f);
      }
    }
  }

  void RunRows(const float* x, int64_t n, float* out) const {
    static constexpr int32_t kNoOffset = 0;
    simd::ProductF32 a;
    a.rows = rows_;
    a.offsets = &kNoOffset, a.runs = 1, a.run_length = m_.k;
    a.weights = panels_, a.n = n, a.panel_end = CeilDiv(n, 16);
    a.lo = m_.lo, a.hi = m_.hi;
    a.out_stride = m_.n;
    const int64_t block = m_.adj_x ? kCopiedRows : kRows;
    for (int64_t row = 0; row < m_.m; row += block) {
      a.count = std::min(block, m_.m - row);
      for (int64_t i = 0; i < a.count; ++i) {
        const float* at = x + (row + i) * m_.k;
        if (m_.adj_x) {
          float* copy = copies_ + i * m_.k;
          for (int64_t k = 0; k < m_.k; ++k) copy[k] = x[k * m_.m + row + i];
          at = copy;
        }
        rows_[i] = reinterpret_cast<const uint8_t*>(at);
      }
      a.out = out + row * m_.n;
      p_.kernels->product(a);
    }
  }

  const MatMulF32& p_;
  const MatMul& m_;
  const float* x_;
  const float* y_;
  float* out_;
  float* panels_;
  float* copies_;
  const uint8_t** rows_;
};

KernelCode Run(const RunContext& ctx) {
  Worker(ctx).Run(ctx.tasks);
  return KernelCode::kOk;
}

}  // namespace

Status PrepareMatMulF32(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                        std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  if (ctx.in[0].type != DType::kFloat32) {
    *why_not = "serves float32 operands";
    return OkStatus();
  }
  if (ctx.tier == nullptr || ctx.tier->f32 == nullptr) {
    *why_not = "no SIMD tier";
    return OkStatus();
  }
  MatMulF32 p;
  p.m = *static_cast<const MatMul*>(reference.params.get());
  const MatMul& m = p.m;
  if (m.k == 0 || ctx.out[0].shape.elements() == 0) {
    *why_not = "no products";
    return OkStatus();
  }
  p.kernels = ctx.tier->f32;
  const int64_t panels = CeilDiv(m.n, 16), threads = std::max(1, ctx.max_threads);
  const int64_t fits =
      std::clamp<int64_t>(ShiftedBytes(kPanelBytes, ctx.block_shift) / (64 * m.k), 1, kMostPanels);
  const int64_t wanted = CeilDiv(threads, m.batch.elements());  // tasks of each matrix
  p.task_panels = std::min(fits, CeilDiv(panels, wanted));
  p.matrix_tasks = CeilDiv(panels, p.task_panels);
  ScratchParts parts;
  p.panels = parts.Take(64 * m.k * p.task_panels);
  if (m.adj_x) p.copies = parts.Take(4 * m.k * kCopiedRows);
  p.rows = parts.Take(kRows * static_cast<int64_t>(sizeof(void*)));
  prepared->scratch_per_thread = static_cast<size_t>(parts.bytes);
  prepared->tasks = m.batch.elements() * p.matrix_tasks;
  prepared->macs = reference.macs;
  // To pack an element costs as much as about 8 products.
  prepared->cost_ns = (static_cast<double>(reference.macs) +
                       8.0 * static_cast<double>(m.batch.elements() * m.k * m.n)) /
                      ctx.tier->float_rate;
  prepared->exact = false;
  prepared->implementation = "panel_f32";
  prepared->tier = p.kernels->tier;
  prepared->run = &Run;
  prepared->SetParams(p);
  *accepted = true;
  return OkStatus();
}

}  // namespace whit
