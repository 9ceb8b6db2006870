// One spatial axis of a convolution or a pool, and what surrounds them.
#ifndef WHIT_TOOLS_IMPORT_WINDOW_H_
#define WHIT_TOOLS_IMPORT_WINDOW_H_

#include <cstdint>

#include "tools/import/scope.h"

namespace whit::tools {

struct Window {
  int64_t in = 0, kernel = 1, stride = 1, dilation = 1;
  int64_t out = 0, before = 0, after = 0;

  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

/// Every number stays far below 2^62 under this bound.
inline constexpr int64_t kMaxWindow = 1 << 24;

/// Kernel, stride and dilation are in 1..kMaxWindow. `axis` is for messages.
Status CheckWindow(const Scope& l, const char* axis, const Window& w);
/// kInvalidModel where an axis without padding is shorter than the window.
Status CheckFits(const Scope& l, const char* axis, const Window& w);

/// A constant PAD in front joins the operator's own padding where that reads the same there: the
/// zero point. Returns the tensor to read.
int AbsorbPad(Scope& l, int x, Window* h, Window* w);

/// Fields that ConvOptionsT and PoolOptionsT share.
template <typename Options>
void SetPadding(Options& o, const Window& h, const Window& w) {
  o.stride_h = static_cast<uint32_t>(h.stride), o.stride_w = static_cast<uint32_t>(w.stride);
  o.pad_top = static_cast<uint32_t>(h.before), o.pad_bottom = static_cast<uint32_t>(h.after);
  o.pad_left = static_cast<uint32_t>(w.before), o.pad_right = static_cast<uint32_t>(w.after);
}

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WINDOW_H_
