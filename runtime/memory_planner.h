// Places buffers with known lifetimes into one arena. A pure function: it has no idea what a tensor
// is.
#ifndef WHIT_RUNTIME_MEMORY_PLANNER_H_
#define WHIT_RUNTIME_MEMORY_PLANNER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "platform/aligned_buffer.h"  // kBufferAlignment

namespace whit {

/// A buffer that lives from step `first` to step `last`, both included.
struct BufferLife {
  uint64_t size = 0;  // bytes; 0 takes no room
  int32_t first = 0;
  int32_t last = 0;
};

struct MemoryPlan {
  std::vector<uint64_t> offsets;  // one a buffer, multiples of kBufferAlignment
  uint64_t total = 0;             // bytes of the arena
};

/// Largest buffer first into the lowest gap that is free during its life. REQUIRES the sum of sizes
/// < 2^63.
MemoryPlan PlanMemory(std::span<const BufferLife> buffers);

/// One place for each buffer, nothing shared: the plain executor's memory.
MemoryPlan PlanMemoryWithoutReuse(std::span<const BufferLife> buffers);

}  // namespace whit

#endif  // WHIT_RUNTIME_MEMORY_PLANNER_H_
