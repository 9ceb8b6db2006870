// Parameters of a depthwise convolution as its reference sees them; the faster implementations
// start from these.
#ifndef WHIT_KERNELS_DEPTHWISE_H_
#define WHIT_KERNELS_DEPTHWISE_H_

#include <cstdint>

#include "kernels/conv_geometry.h"
#include "kernels/weighted.h"

namespace whit {

struct Depthwise {
  ConvGeometry g;
  const uint8_t* weights = nullptr;
  const int32_t* sums = nullptr;  // may be null for floats
  InputCode in;
  ChannelOutput out;
  int64_t multiplier = 1;
  int64_t chunks = 1;       // of 16 output channels
  int64_t chunk_tasks = 1;  // chunks are tasks of their own, or all are one task
};

}  // namespace whit

#endif  // WHIT_KERNELS_DEPTHWISE_H_
