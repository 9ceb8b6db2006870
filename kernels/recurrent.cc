#include "kernels/recurrent.h"

#include <cmath>
#include <string>

#include "kernels/hybrid.h"
#include "kernels/pack.h"
#include "kernels/simd/tiers.h"
#include "kernels/weighted.h"

namespace whit {
namespace {

/// Scale from the largest magnitude alone. NaN compares false and is left out.
DynamicQuant SymmetricQuantOf(const float* x, int64_t count) {
  float most = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = std::fabs(x[i]);
    most = magnitude > most ? magnitude : most;
  }
  DynamicQuant q;
  if (most == 0) return q;
  q.inverse = 127.0f / most;
  q.scale = most / 127.0f;
  return q;
}

}  // namespace

Result<PackedMatrix> ReadMatrix(const PrepareContext& ctx, int index, const char* what, int64_t n,
                                int64_t k) {
  PackedMatrix m;
  if (index == -1) return m;
  WHIT_ASSIGN_OR_RETURN(const PackedWeights* w, ctx.Weights(index));
  WHIT_RETURN_IF_ERROR(
      CheckWeights(ctx, *w, PackedWeights::Layout::kPanel16I8, PackedWeights::Layout::kPanel16F32));
  m.dims = DimsOf(*w);
  if (m.dims.n != n || m.dims.k() != k || m.dims.runs != 1 || m.dims.groups != 1) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string(what) + ": weights [" + std::to_string(n) + "," +
                         std::to_string(k) + "] in one run expected, '" + w->name + "' is [" +
                         std::to_string(m.dims.n) + "," + std::to_string(m.dims.k()) + "] in " +
                         std::to_string(m.dims.groups) + " groups of " +
                         std::to_string(m.dims.runs) + " runs");
  }
  m.is_float = w->is_float();
  const bool wants_float_scale = !m.is_float && ctx.in[0].type == DType::kFloat32;
  if (!m.is_float && w->zero_point != 0) {
    return ctx.Error(StatusCode::kUnsupported, std::string(what) + ": weight zero point " +
                                                   std::to_string(w->zero_point) +
                                                   " where 0 is expected");
  }
  if (wants_float_scale && w->scale.size() != 1 && w->scale.size() != static_cast<size_t>(n)) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string(what) + ": " + std::to_string(w->scale.size()) + " scales for " +
                         std::to_string(n) + " channels");
  }
  m.scale = w->scale;
  m.data = static_cast<const uint8_t*>(w->data);
  return m;
}

void UseTier(const simd::Tier* tier, PackedMatrix* m) {
  if (tier == nullptr) return;
  if (tier->kernels != nullptr) m->wide = tier->kernels->wide_product;
  m->floats = tier->f32;
}

FloatRow MakeFloatRow(const float* values, int64_t k, RowCode code, int16_t* widened) {
  FloatRow row{values, nullptr, 1};
  if (code == RowCode::kFloat) return row;
  const DynamicQuant q =
      code == RowCode::kSymmetric ? SymmetricQuantOf(values, k) : QuantOf(values, k);
  WidenQuantized(values, k, q, widened);
  row.widened = widened;
  row.scale = q.scale;
  return row;
}

void AddProduct(const PackedMatrix& m, const FloatRow& row, float* out) {
  if (!m.is_float) {
    MultiplyI8(m, row.widened, nullptr, [&](int64_t n, int32_t acc) {
      out[n] += static_cast<float>(acc) * (row.scale * m.scale_of(n));
    });
    return;
  }
  const auto* panels = reinterpret_cast<const float*>(m.data);
  if (m.floats != nullptr) {
    const auto* x = reinterpret_cast<const uint8_t*>(row.values);
    const int32_t offset = 0;
    simd::ProductF32 p;
    p.rows = &x, p.count = 1, p.offsets = &offset;
    p.runs = p.panel_runs = 1, p.run_length = m.dims.k();
    p.weights = panels, p.n = 16 * m.dims.panels(), p.panel_end = m.dims.panels();
    p.bias = out;
    p.lo = -INFINITY, p.hi = INFINITY;
    p.out = out, p.out_stride = p.n;
    return m.floats->product(p);
  }
  for (int64_t n = 0; n < m.dims.n; n += 16) {
    const int64_t count = std::min<int64_t>(16, m.dims.n - n);
    float acc[1][16] = {};
    std::copy_n(out + n, count, acc[0]);
    AddPanelF32(row.values, 0, 1, panels + n * m.dims.k(), m.dims.k(), acc);
    std::copy_n(acc[0], count, out + n);
  }
}

Status ExpectState(const PrepareContext& ctx, size_t i, const char* what, const Shape& want) {
  if (ctx.in[i].shape != want) {
    return ctx.Error(StatusCode::kInvalidModel, std::string(what) + ": shape " + want.ToString() +
                                                    " expected, the file has " +
                                                    ctx.in[i].shape.ToString());
  }
  if (!ctx.IsVariable(i)) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::string(what) + " is written and must be a variable");
  }
  return OkStatus();
}

Status ExpectMultiplier(const PrepareContext& ctx, const char* what, float m) {
  if (m > 0 && std::isfinite(m)) return OkStatus();
  return ctx.Error(StatusCode::kInvalidModel,
                   std::string(what) + " must be finite and positive, is " + std::to_string(m));
}

}  // namespace whit
