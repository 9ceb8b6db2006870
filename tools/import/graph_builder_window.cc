// Windows as callers of GraphBuilder state them.
#include <algorithm>

#include "tools/import/graph_builder.h"

namespace whit::tools {

Status CheckPads(const Scope& l, const Window2D& window) {
  for (const auto& pads : {window.before, window.after}) {
    for (int64_t p : pads) {
      if (p < 0 || p > kMaxWindow) {
        return l.Invalid("padding must be in 0.." + std::to_string(kMaxWindow) + ", one is " +
                         std::to_string(p));
      }
    }
  }
  return OkStatus();
}

Result<Window> PlaceWindow(const Scope& l, const Window2D& window, size_t i, int64_t in,
                           int64_t kernel) {
  const char* axis = i == 0 ? "height" : "width";
  Window w = {
      .in = in, .kernel = kernel, .stride = window.stride[i], .dilation = window.dilation[i]};
  w.before = window.before[i], w.after = window.after[i];
  WHIT_RETURN_IF_ERROR(CheckPads(l, window));
  WHIT_RETURN_IF_ERROR(CheckWindow(l, axis, w));
  Window padded = w;
  padded.in += w.before + w.after;
  WHIT_RETURN_IF_ERROR(CheckFits(l, axis, padded));
  w.out = (padded.in - w.extent()) / w.stride + 1;
  return w;
}

Window2D SamePadding(Window2D window, std::array<int64_t, 2> in) {
  for (size_t i : {0, 1}) {
    const int64_t stride = std::max<int64_t>(window.stride[i], 1);
    const int64_t extent = (window.kernel[i] - 1) * window.dilation[i] + 1;
    const int64_t out = (in[i] + stride - 1) / stride;
    const int64_t total = std::max<int64_t>((out - 1) * stride + extent - in[i], 0);
    window.before[i] = total / 2;
    window.after[i] = total - total / 2;
  }
  return window;
}

}  // namespace whit::tools
