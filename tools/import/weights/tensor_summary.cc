#include "tools/import/weights/tensor_summary.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tools/import/weights/blocks.h"

namespace whit::tools {

TensorSummary Summarize(const TensorEntry& entry, std::span<const std::byte> bytes) {
  TensorSummary s;
  s.elements = entry.elements();
  s.min = std::numeric_limits<double>::infinity(), s.max = -s.min;
  ForBlocks(entry, bytes, [&](size_t, std::span<const double> values) {
    double sum = 0;
    for (const double v : values) {
      if (!std::isfinite(v)) {
        ++s.not_finite;
        continue;
      }
      sum += v, s.zeros += v == 0;
      s.min = std::min(s.min, v), s.max = std::max(s.max, v);
    }
    s.sum += sum;
  });
  const auto finite = static_cast<double>(s.elements - s.not_finite);
  if (finite == 0) {
    s.min = s.max = 0;
    return s;
  }
  s.mean = s.sum / finite;
  double squares = 0;
  ForBlocks(entry, bytes, [&](size_t, std::span<const double> values) {
    double sum = 0;
    for (const double v : values) {
      if (std::isfinite(v)) sum += (v - s.mean) * (v - s.mean);
    }
    squares += sum;
  });
  s.deviation = std::sqrt(squares / finite);
  return s;
}

TensorDifference Compare(const TensorEntry& a, std::span<const std::byte> a_bytes,
                         const TensorEntry& b, std::span<const std::byte> b_bytes) {
  TensorDifference d;
  d.signal_to_noise = std::numeric_limits<double>::infinity();
  d.same_bytes =
      a.type == b.type && a_bytes.size() == b_bytes.size() &&
      (a_bytes.empty() || std::memcmp(a_bytes.data(), b_bytes.data(), a_bytes.size()) == 0) &&
      a.codes.scale == b.codes.scale && a.codes.zero_point == b.codes.zero_point;
  if (d.same_bytes) return d;
  std::vector<double> other(kBlock);
  double magnitude = 0, signal = 0, noise = 0;
  ForBlocks(a, a_bytes, [&](size_t at, std::span<double> x) {
    const std::span<double> y(other.data(), x.size());
    const size_t size = ElementSize(b.type);
    ToDoubles(b.type, b_bytes.subspan(at * size, x.size() * size), y);
    Dequantize(a, at, x), Dequantize(b, at, y);
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isfinite(x[i]))
        magnitude = std::max(magnitude, std::fabs(x[i])), signal += x[i] * x[i];
      if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
      ++d.differing;
      const double difference = std::fabs(x[i] - y[i]);
      d.largest = std::isfinite(difference) ? std::max(d.largest, difference)
                                            : std::numeric_limits<double>::infinity();
      noise += difference * difference;
    }
  });
  if (d.largest > 0) d.relative = d.largest / magnitude;  // infinite where A is 0
  if (noise > 0) d.signal_to_noise = 10 * std::log10(signal / noise);
  return d;
}

}  // namespace whit::tools
