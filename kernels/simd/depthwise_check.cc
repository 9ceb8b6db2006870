#include "kernels/simd/depthwise_check.h"

#include <algorithm>
#include <array>
#include <map>

#include "kernels/product_check.h"
#include "schema/layout_size.h"

namespace whit {
namespace {

/// A run is at least so many bytes, so that its loop turns a few times.
constexpr int64_t kRunBytes = 256;

/// Bit k of element i: tap k of one of the outputs [begin, end) reads input i, along one axis.
std::vector<uint64_t> TapsThatRead(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                   int64_t pad, int64_t begin, int64_t end) {
  std::vector<uint64_t> taps(static_cast<size_t>(size));
  for (int64_t o = begin; o < end; ++o) {
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = o * stride - pad + k * dilation;
      if (at >= 0 && at < size) taps[static_cast<size_t>(at)] |= uint64_t{1} << k;
    }
  }
  return taps;
}

/// How many outputs read an input with tap k, as each reads another one; the rest reads padding.
int64_t Inside(const std::vector<uint64_t>& taps, int64_t k) {
  return std::count_if(taps.begin(), taps.end(), [k](uint64_t t) { return (t >> k & 1) != 0; });
}

class Maker {
 public:
  Maker(const Depthwise& dw, int32_t act_bias, int64_t chunk_bytes)
      : dw_(dw), g_(dw.g), act_bias_(act_bias), chunk_(chunk_bytes) {}

  DepthwiseCheck Make(const DepthwiseTasks& tasks) {
    if (g_.kernel_h > 64 || g_.kernel_w > 64) return {};  // taps are bits
    columns_ =
        TapsThatRead(g_.in_w, g_.kernel_w, g_.stride_w, g_.dilation_w, g_.pad_left, 0, g_.out_w);
    check_.on = true;
    check_.line_bytes = g_.in_w * g_.in_c;
    Cut();
    for (int64_t t = 0; t < tasks.image_tasks && check_.on; ++t)
      AddTask(tasks.At(t * tasks.channel_tasks, g_));
    return check_.on ? std::move(check_) : DepthwiseCheck{};
  }

 private:
  int32_t Weight(int64_t tap, int64_t channel) const {
    const int64_t at = (channel / 16 * g_.kernel_h * g_.kernel_w + tap) * 16 + channel % 16;
    return static_cast<int8_t>(dw_.weights[at]) - dw_.out.weight_zero_point;
  }

  /// The longest stretch around the middle whose taps repeat with the stride, in runs of whole
  /// strides; what is left of it and right of it.
  void Cut() {
    const int64_t n = g_.in_w, c = g_.in_c, stride = g_.stride_w;
    const auto same = [&](int64_t x) {
      return columns_[static_cast<size_t>(x)] == columns_[static_cast<size_t>(x + stride)];
    };
    int64_t begin = n / 2, end = begin + stride;
    while (end < n && same(end - stride)) ++end;
    while (begin > 0 && end <= n && same(begin - 1)) --begin;
    const int64_t pixels = stride * CeilDiv(kRunBytes, stride * c);
    const int64_t repeats = end <= n ? (end - begin) / pixels : 0;
    if (repeats < 2) return Add({0, n * c, 1});
    const int64_t rest = begin + repeats * pixels;
    Add({0, begin * c, 1});
    Add({begin * c, pixels * c, repeats});
    Add({rest * c, (n - rest) * c, 1});
  }

  void Add(DepthwiseCheck::Stretch stretch) {
    if (stretch.bytes == 0) return;
    stretch.table_run = CeilDiv(stretch.bytes, chunk_) * chunk_;
    check_.table_elems += stretch.table_run;
    check_.stretches.push_back(stretch);
  }

  void AddTask(const DepthwiseTasks::Range& range) {
    const std::vector<uint64_t> lines =
        TapsThatRead(g_.in_h, g_.kernel_h, g_.stride_h, g_.dilation_h, g_.pad_top, range.line_begin,
                     range.line_end);
    DepthwiseCheck::Task task;
    const auto read = [](uint64_t taps) { return taps != 0; };
    const auto first = std::find_if(lines.begin(), lines.end(), read);
    task.first_line = first - lines.begin();
    for (auto line = first; line != lines.end(); ++line)
      task.classes.push_back(*line == 0 ? -1 : ClassOf(*line));
    while (!task.classes.empty() && task.classes.back() < 0) task.classes.pop_back();
    task.start = StartOf(lines, range.line_end - range.line_begin);
    check_.tasks.push_back(std::move(task));
  }

  int32_t ClassOf(uint64_t line_taps) {
    const auto [at, is_new] =
        classes_.try_emplace(line_taps, static_cast<int32_t>(classes_.size()));
    if (is_new) AddTables(line_taps);
    return at->second;
  }

  void AddTables(uint64_t line_taps) {
    size_t table = check_.tables.size();
    check_.tables.resize(table + static_cast<size_t>(check_.table_elems));
    for (const DepthwiseCheck::Stretch& s : check_.stretches) {
      for (int64_t i = 0; i < s.bytes; ++i) {
        const int64_t pixel = (s.begin + i) / g_.in_c, channel = (s.begin + i) % g_.in_c;
        const int64_t sum = SumOfTaps(line_taps, columns_[static_cast<size_t>(pixel)], channel);
        if (sum != static_cast<int16_t>(sum)) check_.on = false;
        check_.tables[table + static_cast<size_t>(PlaceInTable(i, chunk_))] =
            static_cast<int16_t>(sum);
      }
      table += static_cast<size_t>(s.table_run);
    }
  }

  /// Over the output channels that read input channel `channel`.
  int64_t SumOfTaps(uint64_t line_taps, uint64_t column_taps, int64_t channel) const {
    int64_t sum = 0;
    for (int64_t ky = 0; ky < g_.kernel_h; ++ky) {
      if ((line_taps >> ky & 1) == 0) continue;
      for (int64_t kx = 0; kx < g_.kernel_w; ++kx) {
        if ((column_taps >> kx & 1) == 0) continue;
        for (int64_t m = 0; m < dw_.multiplier; ++m)
          sum += Weight(ky * g_.kernel_w + kx, channel * dw_.multiplier + m);
      }
    }
    return sum;
  }

  /// Of `count` output lines, which read the input's by `lines`.
  uint32_t StartOf(const std::vector<uint64_t>& lines, int64_t count) const {
    const int64_t outputs = count * g_.out_w;
    uint32_t start =
        static_cast<uint32_t>(outputs) *
        SumOfStarts(dw_.out, dw_.sums, g_.kernel_h * g_.kernel_w, act_bias_, 0, g_.out_c, 0);
    const uint8_t stored = dw_.in.stored_zero_point();
    const int32_t zero = act_bias_ != 0 ? stored : static_cast<int8_t>(stored);
    for (int64_t ky = 0; ky < g_.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < g_.kernel_w; ++kx) {
        const int64_t padded = outputs - Inside(lines, ky) * Inside(columns_, kx);
        if (padded == 0) continue;
        int64_t sum = 0;
        for (int64_t c = 0; c < g_.out_c; ++c) sum += Weight(ky * g_.kernel_w + kx, c);
        start += static_cast<uint32_t>(padded) * static_cast<uint32_t>(sum) *
                 static_cast<uint32_t>(zero);
      }
    }
    return start;
  }

  const Depthwise& dw_;
  const ConvGeometry& g_;
  const int32_t act_bias_;
  const int64_t chunk_;
  std::vector<uint64_t> columns_;
  std::map<uint64_t, int32_t> classes_;
  DepthwiseCheck check_;
};

}  // namespace

uint32_t DepthwiseCheck::Expected(const simd::Kernels& kernels, int64_t task,
                                  const uint8_t* image) const {
  constexpr int64_t kBatch = 64;
  const int32_t offset = 0;
  std::array<const uint8_t*, kBatch> runs;
  simd::RowDots dots;
  dots.rows = runs.data(), dots.offsets = &offset, dots.runs = 1;
  const Task& t = tasks[static_cast<size_t>(task)];
  uint32_t sum = t.start;
  for (size_t i = 0; i < t.classes.size(); ++i) {
    if (t.classes[i] < 0) continue;
    const uint8_t* const line = image + (t.first_line + static_cast<int64_t>(i)) * line_bytes;
    dots.table = tables.data() + t.classes[i] * table_elems;
    for (const Stretch& s : stretches) {
      dots.table_run = s.table_run;
      for (int64_t r = 0; r < s.repeats; r += kBatch) {
        dots.count = std::min(kBatch, s.repeats - r);
        for (int64_t j = 0; j < dots.count; ++j)
          runs[static_cast<size_t>(j)] = line + s.begin + (r + j) * s.bytes;
        sum += kernels.row_dots(dots);
      }
      dots.table += s.table_run;
    }
  }
  return sum;
}

DepthwiseCheck MakeDepthwiseCheck(const Depthwise& dw, const DepthwiseTasks& tasks,
                                  int32_t act_bias, int64_t chunk_bytes) {
  return Maker(dw, act_bias, chunk_bytes).Make(tasks);
}

}  // namespace whit
