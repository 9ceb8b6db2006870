// Sums of the constants that a step reads, as they were when it was made: with self-check they are
// compared after every run of the step.
#ifndef WHIT_RUNTIME_CONSTANT_SUMS_H_
#define WHIT_RUNTIME_CONSTANT_SUMS_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "schema/page_sum.h"

namespace whit {

class ConstantSums {
 public:
  /// Bytes that are right now; each place once.
  void Add(std::span<const std::byte> bytes) {
    const auto same = [&](const Record& r) { return r.bytes.data() == bytes.data(); };
    if (bytes.empty() || std::any_of(records_.begin(), records_.end(), same)) return;
    records_.push_back({bytes, SumOf(bytes)});
  }
  bool StillHold() const {
    return std::all_of(records_.begin(), records_.end(),
                       [](const Record& r) { return SumOf(r.bytes) == r.sum; });
  }

 private:
  struct Record {
    std::span<const std::byte> bytes;
    PageSum sum;
  };
  std::vector<Record> records_;
};

}  // namespace whit

#endif  // WHIT_RUNTIME_CONSTANT_SUMS_H_
