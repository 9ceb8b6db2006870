// How a depthwise convolution is cut into tasks: bands of output lines, or blocks of channels where
// lines do not share out evenly over the threads.
#ifndef WHIT_KERNELS_SIMD_DEPTHWISE_TASKS_H_
#define WHIT_KERNELS_SIMD_DEPTHWISE_TASKS_H_

#include <algorithm>
#include <cstdint>

#include "kernels/conv_geometry.h"

namespace whit {

struct DepthwiseTasks {
  /// Channels of one task: a unit of the widest tier.
  static constexpr int64_t kChannels = 64;

  int64_t lines = 1;        // output lines of one task, all in one image
  int64_t image_tasks = 1;  // of lines
  int64_t channel_tasks = 1;

  int64_t count(const ConvGeometry& g) const { return g.batch * image_tasks * channel_tasks; }

  /// The output lines and channels of a task.
  struct Range {
    int64_t image = 0, line_begin = 0, line_end = 0, channel_begin = 0, channel_end = 0;
  };
  Range At(int64_t task, const ConvGeometry& g) const {
    const int64_t line_task = task / channel_tasks, channels = task % channel_tasks;
    Range r;
    r.image = line_task / image_tasks;
    r.line_begin = line_task % image_tasks * lines;
    r.line_end = std::min(r.line_begin + lines, g.out_h);
    r.channel_begin = channels * kChannels;
    r.channel_end = channel_tasks == 1 ? g.out_c : std::min(g.out_c, (channels + 1) * kChannels);
    return r;
  }
};

/// Tasks of at most `most_lines` output lines, a multiple of `granule` each, for `threads` threads
/// that take equal numbers of tasks.
DepthwiseTasks MakeDepthwiseTasks(const ConvGeometry& g, int64_t threads, int64_t most_lines,
                                  int64_t granule);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_DEPTHWISE_TASKS_H_
