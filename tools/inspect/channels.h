// Where the output channels of a tensor of weights are.
#ifndef WHIT_TOOLS_INSPECT_CHANNELS_H_
#define WHIT_TOOLS_INSPECT_CHANNELS_H_

#include <cstddef>
#include <string>

#include "tools/import/weights/weights.h"

namespace whit::tools {

/// A tensor as [outer][channels][inner]: element i is of channel i / inner % channels. The elements
/// of one channel are its columns; element i is of column i / inner / channels * inner + i % inner.
struct ChannelLayout {
  int axis = -1;  // -1: all elements are one channel
  size_t channels = 1, inner = 1, columns = 1;
  const char* why = "one axis";  // who says so
};

/// Beyond this many channels none are told apart: what is kept of each (ChannelStatistics and its
/// sketch) would not be small beside the tensor any more. A vocabulary has 2^18 words at the most.
inline constexpr size_t kMostChannels = size_t{1} << 18;

/// The axis that the file states (of its scales, of the operator), else the convention of the
/// format: first in PyTorch, NumPy, safetensors and TFLite, last in Keras and of what is called
/// "kernel" as there, last in TFLite's depthwise [1,H,W,C]. Tensors of fewer than two axes have one
/// channel, and so have those without elements. `format`: WeightFile::format().
ChannelLayout ChannelsOf(const TensorEntry& entry, const std::string& format);

/// Calls fn(channel, first column, values) for what of a block lies in one channel, one after the
/// other. `at`: the index of the block's first element.
template <typename Fn>
void ForRuns(const ChannelLayout& layout, size_t at, std::span<const double> values, Fn fn) {
  size_t within = at % layout.inner, channel = at / layout.inner % layout.channels;
  size_t outer = at / layout.inner / layout.channels;
  for (size_t i = 0; i < values.size();) {
    const size_t n = std::min(layout.inner - within, values.size() - i);
    fn(channel, outer * layout.inner + within, values.subspan(i, n));
    i += n, within = 0;
    if (++channel == layout.channels) channel = 0, ++outer;
  }
}

}  // namespace whit::tools

#endif  // WHIT_TOOLS_INSPECT_CHANNELS_H_
