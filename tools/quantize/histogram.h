// What a tensor's values were on calibration data: a histogram whose range grows with them.
#ifndef WHIT_TOOLS_QUANTIZE_HISTOGRAM_H_
#define WHIT_TOOLS_QUANTIZE_HISTOGRAM_H_

#include <cstdint>
#include <span>
#include <vector>

namespace whit::tools {

/// Counts in kBins equal bins of [-reach, reach], reach a power of two that doubles as values need
/// it: pairs of bins merge then, so no value is seen twice and order does not matter.
class Histogram {
 public:
  static constexpr size_t kBins = 4096;

  /// Values that are not finite are counted apart and change nothing else.
  void Add(std::span<const float> values);

  uint64_t count() const { return count_; }
  uint64_t not_finite() const { return not_finite_; }
  float min() const { return min_; }  // 0 where nothing was added
  float max() const { return max_; }
  std::span<const uint64_t> bins() const { return bins_; }
  double bin_width() const { return 2 * reach_ / kBins; }
  /// The middle of bin i.
  double center(size_t i) const { return (static_cast<double>(i) + 0.5) * bin_width() - reach_; }

 private:
  void Grow(double reach);

  double reach_ = 0;  // 0: nothing but zeros so far
  uint64_t count_ = 0, zeros_ = 0, not_finite_ = 0;
  float min_ = 0, max_ = 0;
  std::vector<uint64_t> bins_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_HISTOGRAM_H_
