#include "tools/import/onnx/window.h"

#include <algorithm>

namespace whit::tools::onnx {

namespace {

// Beyond any honest number; products of two of them do not overflow.
constexpr int64_t kMaxNumber = 1 << 24;

std::optional<Ints> Numbers(Op& op, const char* name, size_t count, int64_t otherwise,
                            int64_t least) {
  Ints values = op.IntList(name);
  if (values.empty()) values.assign(count, otherwise);
  bool good = values.size() == count;
  for (int64_t v : values) good = good && v >= least && v <= kMaxNumber;
  if (good) return values;
  op.Invalid(std::string(name) + " must be " + std::to_string(count) + " numbers of " +
             std::to_string(least) + " or more");
  return std::nullopt;
}

// The output is ceil(in / stride) long; an odd pixel lies behind (SAME_UPPER) or before.
void PadSame(SpatialAxis* a, bool upper) {
  const int64_t out = (a->in + a->stride - 1) / a->stride;
  const int64_t total = std::max<int64_t>((out - 1) * a->stride + a->extent() - a->in, 0);
  a->before = upper ? total / 2 : total - total / 2;
  a->after = total - a->before;
}

// The window that begins last may reach over the end, but must begin before it.
void RoundUp(SpatialAxis* a) {
  const int64_t padded = a->in + a->before + a->after;
  if (padded < a->extent()) return;
  int64_t out = (padded - a->extent() + a->stride - 1) / a->stride + 1;
  if ((out - 1) * a->stride >= a->in + a->before) --out;
  a->overhang = std::max<int64_t>((out - 1) * a->stride + a->extent() - padded, 0);
}

}  // namespace

std::optional<Spatial> ReadSpatial(Op& op, const Ints& in, const Ints& kernel) {
  const size_t n = in.size();
  const auto strides = Numbers(op, "strides", n, 1, 1);
  const auto dilations = Numbers(op, "dilations", n, 1, 1);
  const auto pads = Numbers(op, "pads", 2 * n, 0, 0);
  if (!strides || !dilations || !pads) return std::nullopt;
  if (kernel.size() != n) {
    op.Invalid("the kernel has " + std::to_string(kernel.size()) + " axes, the input " +
               std::to_string(n));
    return std::nullopt;
  }
  const std::string auto_pad = op.Text("auto_pad", "NOTSET");
  const bool upper = auto_pad == "SAME_UPPER", lower = auto_pad == "SAME_LOWER";
  if (!upper && !lower && auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty()) {
    op.Invalid("auto_pad '" + Shown(auto_pad) + "'");
    return std::nullopt;
  }
  Spatial axes(n);
  for (size_t i = 0; i < n; ++i) {
    SpatialAxis& a = axes[i];
    a.in = in[i], a.kernel = kernel[i], a.stride = (*strides)[i], a.dilation = (*dilations)[i];
    if (a.kernel < 1 || a.kernel > kMaxNumber || a.in < 1) {
      op.Invalid("a kernel of " + std::to_string(a.kernel) + " over " + std::to_string(a.in));
      return std::nullopt;
    }
    if (auto_pad != "VALID") a.before = (*pads)[i], a.after = (*pads)[n + i];
    if (upper || lower) PadSame(&a, upper);
    if (op.Int("ceil_mode", 0) != 0) RoundUp(&a);
    if (a.in + a.before + a.after + a.overhang < a.extent()) {
      op.Invalid("a window of " + std::to_string(a.extent()) + " over " + std::to_string(a.in) +
                 " pixels and " + std::to_string(a.before + a.after) + " of padding");
      return std::nullopt;
    }
  }
  return axes;
}

Window2D WindowOf(const Spatial& axes, size_t first) {
  Window2D w;
  const size_t offset = axes.size() == 1 ? 1 : 0;  // a single axis is the width
  for (size_t i = 0; i < 2; ++i) {
    if (i < offset) continue;
    const SpatialAxis& a = axes[first + i - offset];
    w.kernel[i] = a.kernel, w.stride[i] = a.stride, w.dilation[i] = a.dilation;
    w.before[i] = a.before, w.after[i] = a.after;
  }
  return w;
}

Value Planes(GraphBuilder& g, Value x) {
  const Ints d = DimsOf(g, x);
  if (d.size() == 3) return g.Reshape(x, Ints{d[0], 1, d[1], d[2]});
  if (d.size() == 5) return g.Reshape(x, Ints{d[0] * d[1], d[2], d[3], d[4]});
  return x;
}

Value Unplanes(GraphBuilder& g, Value y, int rank, int64_t batch) {
  const Ints d = DimsOf(g, y);
  if (g.failed(y) || d.size() != 4) return y;
  if (rank == 3) return g.Reshape(y, Ints{d[0], d[2], d[3]});
  if (rank == 5)
    return g.Reshape(y, Ints{batch, d[0] / std::max<int64_t>(batch, 1), d[1], d[2], d[3]});
  return y;
}

}  // namespace whit::tools::onnx
