// Operators by their definitions, in plain loops: what tests of importers compare with.
#ifndef WHIT_TESTS_IMPORT_PLAIN_H_
#define WHIT_TESTS_IMPORT_PLAIN_H_

#include <cstdint>
#include <vector>

#include "tools/import/graph_builder.h"

namespace whit::tools {

using Floats = std::vector<float>;

struct Size {
  int64_t h, w, c;
  size_t count() const { return static_cast<size_t>(h * w * c); }
};

inline size_t At(const Size& s, int64_t y, int64_t x, int64_t c) {
  return static_cast<size_t>((y * s.w + x) * s.c + c);
}

// A convolution in groups by its definition; weights [O][H][W][I / groups].
inline Floats PlainConv(const Floats& x, Size in, const Floats& w, const Floats& bias, int64_t n,
                        const Window2D& window, int64_t groups, Size* out) {
  const auto place = [&](size_t a, int64_t size) {
    const int64_t extent = (window.kernel[a] - 1) * window.dilation[a] + 1;
    return (size + window.before[a] + window.after[a] - extent) / window.stride[a] + 1;
  };
  *out = {place(0, in.h), place(1, in.w), n};
  Floats y(out->count());
  const int64_t part = in.c / groups;
  for (int64_t oy = 0; oy < out->h; ++oy) {
    for (int64_t ox = 0; ox < out->w; ++ox) {
      for (int64_t o = 0; o < n; ++o) {
        double sum = bias[static_cast<size_t>(o)];
        for (int64_t ky = 0; ky < window.kernel[0]; ++ky) {
          for (int64_t kx = 0; kx < window.kernel[1]; ++kx) {
            const int64_t iy = oy * window.stride[0] + ky * window.dilation[0] - window.before[0];
            const int64_t ix = ox * window.stride[1] + kx * window.dilation[1] - window.before[1];
            if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
            for (int64_t i = 0; i < part; ++i) {
              const int64_t channel = o / (n / groups) * part + i;
              const int64_t k = ((o * window.kernel[0] + ky) * window.kernel[1] + kx) * part + i;
              sum += double{x[At(in, iy, ix, channel)]} * double{w[static_cast<size_t>(k)]};
            }
          }
        }
        y[At(*out, oy, ox, o)] = static_cast<float>(sum);
      }
    }
  }
  return y;
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_IMPORT_PLAIN_H_
