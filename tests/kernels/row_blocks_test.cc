// Blocks of output lines, and where their rows of activations lie.
#include "kernels/simd/row_blocks.h"

#include <gtest/gtest.h>

#include "tests/kernels/weighted_cases.h"

namespace whit {
namespace {

/// 3x3 at `stride` over `h` x `w` pixels of `cin` channels, padding 1 in front.
RowProduct ThreeByThree(int64_t h, int64_t w, int64_t cin, int64_t stride) {
  RowProduct p;
  p.g.in_h = h, p.g.in_w = w, p.g.in_c = cin;
  p.g.kernel_h = p.g.kernel_w = 3;
  p.g.stride_h = p.g.stride_w = stride;
  p.g.pad_top = p.g.pad_left = 1;
  p.g.out_h = (h - 1) / stride + 1, p.g.out_w = (w - 1) / stride + 1, p.g.out_c = 24;
  p.dims.n = 24, p.dims.runs = 3, p.dims.run_length = 3 * cin;
  p.run_taps = 3;
  return p;
}

TEST(RowBlocksTest, RowsReadWhatTheConvolutionReads) {
  for (const int64_t stride : {1, 2}) {
    const RowProduct p = ThreeByThree(21, 18, 5, stride);
    RowBlocks b =
        MakeRowBlocks(p, {4, 4, 4}, {.input_bytes = 4000, .output_bytes = 96000, .rows = 512}, 1);
    ASSERT_GT(b.image_blocks, 1);
    std::vector<float> x(static_cast<size_t>(21 * 18 * 5));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
    ScratchParts parts;
    b.TakeScratch(&parts);
    std::vector<uint64_t> scratch(static_cast<size_t>(parts.bytes) / 8);
    BlockRows rows(b, reinterpret_cast<const uint8_t*>(x.data()),
                   reinterpret_cast<uint8_t*>(scratch.data()));
    int64_t pixel = 0;
    for (int64_t block = 0; block < b.image_blocks; ++block) {
      rows.Begin(block, 0);
      ASSERT_EQ(rows.first_pixel(), pixel);
      for (int64_t i = 0; i < rows.count(); ++i, ++pixel) {
        for (int64_t k = 0; k < 45; ++k) {
          const int64_t y = pixel / p.g.out_w * stride - 1 + k / 15;
          const int64_t column = pixel % p.g.out_w * stride - 1 + k % 15 / 5;
          const bool inside = y >= 0 && y < 21 && column >= 0 && column < 18;
          float got;
          std::memcpy(&got,
                      rows.rows()[i] + b.run_offsets[static_cast<size_t>(k / 15)] + k % 15 * 4, 4);
          const int64_t at = inside ? (y * 18 + column) * 5 + k % 5 : 0;
          ASSERT_EQ(got, inside ? x[static_cast<size_t>(at)] : 0.0f) << pixel << " " << k;
        }
      }
    }
    EXPECT_EQ(pixel, p.g.out_pixels());
  }
}

TEST(RowBlocksTest, TuningScalesBlocks) {
  const RowProduct p = ThreeByThree(64, 64, 16, 1);
  const int64_t usual = MakeRowBlocks(p, {}, BlockLimits{}, 1).block_lines;
  EXPECT_GT(MakeRowBlocks(p, {}, BlockLimits{}.Shifted(1), 1).block_lines, usual);
  EXPECT_LT(MakeRowBlocks(p, {}, BlockLimits{}.Shifted(-1), 1).block_lines, usual);
  EXPECT_EQ(MakeRowBlocks(p, {}, BlockLimits{}.Shifted(-3), 1).block_lines, 1);
}

TEST(RowBlocksTest, OutputsMayLieInThePadding) {
  CaseRandom r(1);
  ConvCase c;  // one output, whose taps are all left of and above the image
  c.h = c.w = 1, c.cin = 3, c.cout = 8, c.kh = c.kw = 3;
  c.top = c.left = 5, c.stride_h = c.stride_w = 4;
  ASSERT_EQ(c.out_w(), 1);
  const PackedArrays packed = c.Pack(r.Integers<int8_t>(c.w_shape().elements(), -127, 127));
  fbs::ConvOptionsT options = c.Options();
  options.weights = 0, options.bias = 0, options.multiplier = 1;
  OpTester t(OpType::kConv2D, options);
  t.Input(Quantized<int8_t>(c.x_shape(), {1, 2, 3}, 0.5f, 3));
  t.Output(DType::kInt8, c.y_shape(), 0.5f, -2);
  t.Weights(packed.View());
  t.Blob(r.Integers<int32_t>(c.cout, -1000, 1000));
  t.Blob(std::vector<float>(static_cast<size_t>(c.cout), 0.01f));
  const Status status = t.Run();
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace whit
