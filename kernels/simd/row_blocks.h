// The rows of a product: which activations lie behind an output pixel, in blocks of output lines
// that stay in L1 while the panels of weights stream past. Knows no arithmetic: elements are
// `element_bytes` wide, and kernels see a pointer per row and the offsets of its runs. Where the
// input's own elements are another width, a block is converted into scratch.
#ifndef WHIT_KERNELS_SIMD_ROW_BLOCKS_H_
#define WHIT_KERNELS_SIMD_ROW_BLOCKS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/op.h"
#include "kernels/row_product.h"

namespace whit {

/// bytes * 2^shift (PrepareContext::block_shift), also for negative shifts.
constexpr int64_t ShiftedBytes(int64_t bytes, int shift) {
  return shift < 0 ? bytes >> -shift : bytes << shift;
}

/// What a block may take.
struct BlockLimits {
  int64_t input_bytes = 24 * 1024;   // stays in L1 (32 KB on the smallest targets) beside a panel
  int64_t output_bytes = 96 * 1024;  // stays in L2 while panel after panel is written
  int64_t rows = 512;                // their pointers take 8 bytes each

  /// Blocks 2^shift times as large (PrepareContext::block_shift).
  BlockLimits Shifted(int shift) const;
};

/// A place in a thread's scratch.
struct Part {
  int64_t at = 0;
  template <typename T>
  T* In(uint8_t* scratch) const {
    return reinterpret_cast<T*>(scratch + at);
  }
};

/// Hands out parts one behind the other, each at a multiple of 64.
struct ScratchParts {
  int64_t bytes = 0;
  Part Take(int64_t part_bytes) {
    const Part part{bytes};
    bytes += RoundUp64(part_bytes);
    return part;
  }
};

/// A line is a row of output pixels, or, where rows of activations are pixels as they lie (flat),
/// a single pixel. Blocks of lines do not cross images unless flat.
struct RowBlocks {
  ConvGeometry g;
  int64_t element_bytes = 1;  // as kernels read them
  int64_t source_bytes = 1;   // of an element of the input
  bool flat = false;
  bool copied = false;  // a block's input is copied into scratch: for its padding, or converted
  int64_t images = 1, image_lines = 1, line_pixels = 1;
  int64_t block_lines = 1, image_blocks = 1;
  int64_t panels = 1, group_panels = 1;
  int64_t panel_tasks = 1;  // of kTaskPanels panels each; 1: all panels are one task

  int64_t cin = 0;                   // input channels of a group
  int64_t line_bytes = 0;            // between input rows as the kernels read them
  int64_t pixel_bytes = 0;           // between the first taps of neighbouring output pixels
  std::vector<int32_t> run_offsets;  // bytes from a pixel's first tap

  Part rows, band;

  /// Panels of one task where panels are split over threads: a whole tile of every tier.
  static constexpr int64_t kTaskPanels = 4;

  int64_t tasks() const { return images * image_blocks * panel_tasks; }
  int64_t block_rows() const { return block_lines * line_pixels; }
  /// Input rows under `lines` output lines.
  int64_t band_lines(int64_t lines) const {
    return (lines - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  }
  /// Of `rows`, and of `band` where the block is copied; 64 bytes behind the band may be read.
  void TakeScratch(ScratchParts* parts);
};

/// Bytes of an element: in the input, as kernels read it, and of the output.
struct ElementBytes {
  int64_t source = 1, read = 1, out = 1;
};

/// REQUIRES output pixels.
RowBlocks MakeRowBlocks(const RowProduct& product, const ElementBytes& bytes,
                        const BlockLimits& limits, int64_t threads);

/// One block at a time, in one thread's scratch.
class BlockRows {
 public:
  BlockRows(const RowBlocks& blocks, const uint8_t* x, uint8_t* scratch)
      : b_(blocks),
        x_(x),
        band_(blocks.band.In<uint8_t>(scratch)),
        rows_(blocks.rows.In<const uint8_t*>(scratch)) {}

  /// Rows of a block whose elements need no conversion. `zero` is every byte of padding.
  void Begin(int64_t block, uint8_t zero);

  /// Where the block lies; then its rows, through copy.Line(source, elements, target) and
  /// copy.Padding(elements, target): pixel by pixel where flat, else by stretches of a line.
  /// Targets ascend without gaps, so up to 64 bytes behind each may be written.
  void Place(int64_t block);
  template <class Copy>
  void Fill(Copy* copy);

  const uint8_t** rows() const { return rows_; }
  int64_t count() const { return count_; }
  int64_t lines() const { return lines_; }
  int64_t first_pixel() const { return first_pixel_; }  // of the output
  int64_t image() const { return image_; }              // 0 where flat
  /// The first byte of the block's input, as it lies or in the band.
  const uint8_t* base() const { return base_; }

 private:
  void Point(const uint8_t* base);

  const RowBlocks& b_;
  const uint8_t* x_;
  uint8_t* band_;
  const uint8_t** rows_;  // [block rows]
  const uint8_t* base_ = nullptr;
  int64_t image_ = 0, line0_ = 0, lines_ = 0, count_ = 0, first_pixel_ = 0;
};

template <class Copy>
void BlockRows::Fill(Copy* copy) {
  const ConvGeometry& g = b_.g;
  uint8_t* to = band_;
  if (b_.flat) {
    const uint8_t* from = x_ + first_pixel_ * g.in_c * b_.source_bytes;
    for (int64_t i = 0; i < count_; ++i, to += b_.pixel_bytes) {
      copy->Line(from + i * g.in_c * b_.source_bytes, g.in_c, to);
    }
    return Point(band_);
  }
  const int64_t width = b_.line_bytes / b_.element_bytes;  // elements, as everything below
  // With strides above 1 all outputs may lie in a wide padding.
  const int64_t left = std::min(width, g.pad_left * g.in_c), in_line = g.in_w * g.in_c;
  const int64_t inside = std::min(width - left, in_line);
  const int64_t y0 = line0_ * g.stride_h - g.pad_top, count = b_.band_lines(lines_);
  const uint8_t* image = x_ + image_ * g.in_h * in_line * b_.source_bytes;
  for (int64_t y = y0; y < y0 + count; ++y, to += b_.line_bytes) {
    if (y < 0 || y >= g.in_h) {
      copy->Padding(width, to);
      continue;
    }
    copy->Padding(left, to);
    copy->Line(image + y * in_line * b_.source_bytes, inside, to + left * b_.element_bytes);
    copy->Padding(width - left - inside, to + (left + inside) * b_.element_bytes);
  }
  Point(band_);
}

/// Task t is panel range t % panel_tasks of block t / panel_tasks. Calls worker->BeginBlock(block)
/// and worker->RunPanels(group, first, end), panels counted in the group.
template <class Worker>
void RunBlockTasks(const RowBlocks& b, TaskRange tasks, Worker* worker) {
  for (int64_t t = tasks.begin; t < tasks.end;) {
    const int64_t first = t % b.panel_tasks;
    const int64_t last = std::min(b.panel_tasks, first + tasks.end - t);
    worker->BeginBlock(t / b.panel_tasks);
    int64_t begin = first * RowBlocks::kTaskPanels;
    const int64_t end =
        b.panel_tasks == 1 ? b.panels : std::min(b.panels, last * RowBlocks::kTaskPanels);
    while (begin < end) {
      const int64_t group = begin / b.group_panels, zero = group * b.group_panels;
      const int64_t stop = std::min(end, zero + b.group_panels);
      worker->RunPanels(group, begin - zero, stop - zero);
      begin = stop;
    }
    t += last - first;
  }
}

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_ROW_BLOCKS_H_
