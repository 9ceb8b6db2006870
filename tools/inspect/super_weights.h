// Single weights that carry much of what their tensor computes ("The Super Weight in Large Language
// Models", arXiv 2411.07191: removing one scalar there ruins the model). The paper finds them by
// the spikes that they cause in activations; here they are candidates, found without data.
#ifndef WHIT_TOOLS_INSPECT_SUPER_WEIGHTS_H_
#define WHIT_TOOLS_INSPECT_SUPER_WEIGHTS_H_

#include "tools/inspect/statistics.h"

namespace whit::tools {

struct SuperWeight {
  size_t element;          // row-major
  size_t channel, column;  // ChannelLayout
  double value;
  double deviations;                   // |w - mean| over the tensor's deviation
  double channel_share, column_share;  // w^2 over the sum of squares of its channel, of its column
  double score() const;                // geometric mean of the two shares
};

/// At most this many a tensor.
inline constexpr size_t kMostSuperWeights = 10;
/// With inputs of equal size that are not correlated, the share in its channel is the part of that
/// output's variance which the weight makes, and the share in its column the part of what that
/// input does. A tenth: all others together are no more than sqrt(9) times its size.
inline constexpr double kSuperShare = 0.1;
/// Channels and columns that it takes: with fewer, a tenth is little more than a fair share.
inline constexpr size_t kSuperLeast = 64;

/// Weights further from the mean than twice GaussianExtreme with kSuperShare or more of both,
/// largest score first. `s`: of the same tensor. At most one pass.
std::vector<SuperWeight> SuperWeightsOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                                        const ChannelLayout& layout, const TensorStatistics& s);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_SUPER_WEIGHTS_H_
