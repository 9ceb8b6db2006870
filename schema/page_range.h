#ifndef WHIT_SCHEMA_PAGE_RANGE_H_
#define WHIT_SCHEMA_PAGE_RANGE_H_

#include <cstdint>

namespace whit {

/// Pages [begin, end) of a file or of its weights.
struct PageRange {
  uint64_t begin = 0, end = 0;
};

}  // namespace whit

#endif  // WHIT_SCHEMA_PAGE_RANGE_H_
