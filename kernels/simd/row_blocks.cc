#include "kernels/simd/row_blocks.h"

#include <cstring>

namespace whit {
namespace {

/// Where rows of activations lie: as they are, or behind a copy with padding.
void SetLines(RowBlocks* b) {
  const ConvGeometry& g = b->g;
  const bool taps = g.kernel_h > 1 || g.kernel_w > 1;
  const int64_t wanted_w = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
  const int64_t wanted_h = (g.out_h - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  const int64_t pixel = g.in_c * b->element_bytes;
  const bool padded = g.pad_top > 0 || g.pad_left > 0 || wanted_w > g.in_w || wanted_h > g.in_h;
  b->flat = !taps && !padded && g.stride_h == 1 && g.stride_w == 1;
  b->copied = padded || b->source_bytes != b->element_bytes;
  b->line_bytes = (padded ? wanted_w : g.in_w) * pixel;
  b->pixel_bytes = (b->flat ? 1 : g.stride_w) * pixel;
  b->images = b->flat ? 1 : g.batch;
  b->image_lines = b->flat ? g.out_pixels() : g.out_h;
  b->line_pixels = b->flat ? 1 : g.out_w;
}

void SetRunOffsets(const RowProduct& product, RowBlocks* b) {
  const ConvGeometry& g = b->g;
  const int64_t runs_per_line = g.kernel_w / product.run_taps;
  for (int64_t r = 0; r < product.dims.runs; ++r) {
    const int64_t at = r / runs_per_line * g.dilation_h * b->line_bytes +
                       r % runs_per_line * g.dilation_w * g.in_c * b->element_bytes;
    b->run_offsets.push_back(static_cast<int32_t>(at));
  }
}

/// How evenly `units` fall on `threads`: 1 is perfect.
double Balance(int64_t units, int64_t threads) {
  return static_cast<double>(units) / static_cast<double>(threads * CeilDiv(units, threads));
}

void SetBlocks(const BlockLimits& limits, int64_t out_pixel_bytes, int64_t threads, RowBlocks* b) {
  const ConvGeometry& g = b->g;
  int64_t most = std::min(limits.output_bytes / (b->line_pixels * out_pixel_bytes),
                          limits.rows / b->line_pixels);
  if (b->flat) {
    most = std::min(most, limits.input_bytes / b->pixel_bytes);
  } else {
    const int64_t spare = limits.input_bytes / b->line_bytes - b->band_lines(1);
    most = std::min(most, 1 + spare / g.stride_h);
  }
  most = std::max<int64_t>(most, b->flat ? 8 : 1);
  const int64_t lines = b->image_lines, panels = CeilDiv(b->panels, RowBlocks::kTaskPanels);
  const int64_t per_image = CeilDiv(threads, b->images);  // blocks wanted of each image
  const int64_t rounds = CeilDiv(lines, most * per_image);
  b->block_lines = CeilDiv(lines, rounds * per_image);
  b->image_blocks = CeilDiv(lines, b->block_lines);
  const int64_t blocks = b->images * b->image_blocks;
  if (threads > 1 && Balance(blocks, threads) < 0.9 &&
      Balance(panels, threads) > Balance(blocks, threads)) {
    b->block_lines = CeilDiv(lines, CeilDiv(lines, most));
    b->image_blocks = CeilDiv(lines, b->block_lines);
    b->panel_tasks = panels;
  }
}

}  // namespace

BlockLimits BlockLimits::Shifted(int shift) const {
  return {ShiftedBytes(input_bytes, shift), ShiftedBytes(output_bytes, shift),
          ShiftedBytes(rows, shift)};
}

void RowBlocks::TakeScratch(ScratchParts* parts) {
  rows = parts->Take(block_rows() * static_cast<int64_t>(sizeof(void*)));
  if (!copied) return;
  band =
      parts->Take((flat ? block_lines * pixel_bytes : band_lines(block_lines) * line_bytes) + 64);
}

RowBlocks MakeRowBlocks(const RowProduct& product, const ElementBytes& bytes,
                        const BlockLimits& limits, int64_t threads) {
  RowBlocks b;
  b.g = product.g;
  b.element_bytes = bytes.read, b.source_bytes = bytes.source;
  b.cin = b.g.in_c / product.dims.groups;
  b.panels = product.dims.panels(), b.group_panels = product.dims.group_panels();
  SetLines(&b);
  SetRunOffsets(product, &b);
  SetBlocks(limits, b.g.out_c * bytes.out, threads, &b);
  return b;
}

void BlockRows::Place(int64_t block) {
  image_ = block / b_.image_blocks;
  line0_ = block % b_.image_blocks * b_.block_lines;
  lines_ = std::min(b_.block_lines, b_.image_lines - line0_);
  count_ = lines_ * b_.line_pixels;
  first_pixel_ = (image_ * b_.image_lines + line0_) * b_.line_pixels;
}

void BlockRows::Point(const uint8_t* base) {
  base_ = base;
  const int64_t line_step = b_.flat ? b_.pixel_bytes : b_.g.stride_h * b_.line_bytes;
  const uint8_t** row = rows_;
  for (int64_t l = 0; l < lines_; ++l) {
    const uint8_t* at = base + l * line_step;
    for (int64_t i = 0; i < b_.line_pixels; ++i, at += b_.pixel_bytes) *row++ = at;
  }
}

namespace {

struct PlainCopy {
  int64_t element_bytes;
  uint8_t zero;
  void Line(const uint8_t* source, int64_t elements, uint8_t* target) const {
    std::memcpy(target, source, static_cast<size_t>(elements * element_bytes));
  }
  void Padding(int64_t elements, uint8_t* target) const {
    std::memset(target, zero, static_cast<size_t>(elements * element_bytes));
  }
};

}  // namespace

void BlockRows::Begin(int64_t block, uint8_t zero) {
  Place(block);
  const ConvGeometry& g = b_.g;
  if (b_.copied) {
    const PlainCopy copy{b_.element_bytes, zero};
    Fill(&copy);
  } else if (b_.flat) {
    Point(x_ + first_pixel_ * b_.pixel_bytes);
  } else {
    Point(x_ + (image_ * g.in_h + line0_ * g.stride_h) * b_.line_bytes);
  }
}

}  // namespace whit
