#include "kernels/simd/depthwise_tasks.h"

#include "schema/layout_size.h"

namespace whit {
namespace {

/// What of their time the threads are at work, if the one with most parts of equal size is waited
/// for.
double Balance(int64_t parts, int64_t threads) {
  return static_cast<double>(parts) / static_cast<double>(threads * CeilDiv(parts, threads));
}

}  // namespace

DepthwiseTasks MakeDepthwiseTasks(const ConvGeometry& g, int64_t threads, int64_t most_lines,
                                  int64_t granule) {
  // Bands of lines are better while they share out nearly as well: neighbours share input lines.
  constexpr double kWorthChannels = 1.1;
  DepthwiseTasks tasks;
  const int64_t wanted = CeilDiv(threads, g.batch);  // tasks of each image
  const int64_t rounds = CeilDiv(g.out_h, std::max(granule, most_lines) * wanted);
  tasks.lines = std::min(g.out_h, CeilDiv(CeilDiv(g.out_h, rounds * wanted), granule) * granule);
  tasks.image_tasks = CeilDiv(g.out_h, tasks.lines);
  if (threads == 1) return tasks;

  const int64_t longest = CeilDiv(tasks.count(g), threads) * tasks.lines;
  const double of_lines =
      static_cast<double>(g.batch * g.out_h) / static_cast<double>(threads * longest);
  const int64_t blocks = CeilDiv(g.out_c, DepthwiseTasks::kChannels);
  if (Balance(g.batch * blocks, threads) > kWorthChannels * of_lines) {
    tasks.lines = g.out_h, tasks.image_tasks = 1, tasks.channel_tasks = blocks;
  }
  return tasks;
}

}  // namespace whit
