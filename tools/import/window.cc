#include "tools/import/window.h"

#include <algorithm>
#include <string>

namespace whit::tools {

namespace {

// Whether `pad` adds nothing but zero points around height and width of `x`.
bool PadsWithZeroPoint(const GraphTensor& x, const fbs::PadOptionsT& pad) {
  if (pad.mode != fbs::PadMode::constant || pad.before.size() != 4 || pad.after.size() != 4)
    return false;
  for (size_t axis : {0, 3}) {
    if (pad.before[axis] != 0 || pad.after[axis] != 0) return false;
  }
  if (x.is_float()) return pad.value == 0;
  return x.per_tensor() && pad.value_i64 == x.z();
}

}  // namespace

Status CheckWindow(const Scope& l, const char* axis, const Window& w) {
  for (int64_t v : {w.kernel, w.stride, w.dilation}) {
    if (v < 1 || v > kMaxWindow) {
      return l.Invalid(std::string(axis) + ": kernel, stride and dilation must be in 1.." +
                       std::to_string(kMaxWindow) + ", one is " + std::to_string(v));
    }
  }
  return OkStatus();
}

Status CheckFits(const Scope& l, const char* axis, const Window& w) {
  if (w.in >= w.extent()) return OkStatus();
  return l.Invalid(std::string(axis) + ": the input has " + std::to_string(w.in) +
                   ", the window needs " + std::to_string(w.extent()));
}

int AbsorbPad(Scope& l, int x, Window* h, Window* w) {
  const int producer = l.state().producer[static_cast<size_t>(x)];
  if (producer < 0) return x;
  GraphNode& node = l.graph().nodes[static_cast<size_t>(producer)];
  if (node.type != OpType::kPad) return x;
  const auto& pad = *NodeOptions<fbs::PadOptionsT>(node);
  if (!PadsWithZeroPoint(l.tensor(x), pad)) return x;
  const int64_t before_h = h->before + pad.before[1], after_h = h->after + pad.after[1];
  const int64_t before_w = w->before + pad.before[2], after_w = w->after + pad.after[2];
  // Windows that lie in the padding altogether stay an operator of their own.
  if (std::max(before_h, after_h) >= h->extent() || std::max(before_w, after_w) >= w->extent())
    return x;
  h->before = before_h, h->after = after_h, w->before = before_w, w->after = after_w;
  return node.inputs[0];
}

}  // namespace whit::tools
