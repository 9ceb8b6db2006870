// One panel times some pixels: what every tile of this folder is given.
#pragma once
#include <cstdint>

// Steps of a panel, sorted by how their products may be summed (docs/layout.md, section 5). Offsets
// in bytes: w in the panel, a and b (second step of a pair) from a pixel's first run.
struct Item {
  uint32_t w;
  int32_t a, b;
};
struct Lists {
  const Item *pairs, *singles, *wides;
  int num_pairs, num_singles, num_wides;
};
struct Work {
  const int8_t* panel;  // width 16 or 8; two full panels where the tile takes 32 channels
  int width;
  const Lists* lists;      // tiles with vpmaddubsw
  const int32_t* offsets;  // others: one offset a step
  int steps;
  const int32_t* start;     // [32] folded bias for u8 activations
  const int32_t* neg_zp;    // [32] minus the weights' zero points, or null
  const int32_t* asum;      // [count] sums of activations, with neg_zp
  const float* multiplier;  // [32]
  int32_t zero_point;
  const uint8_t* const* in;  // [count] first run of each pixel
  uint8_t* out;
  const int32_t* out_at;  // [count] bytes from out to each pixel's first channel
  int count;
  int channels;  // real ones, stored
};
// A single dense row and one panel, with the choice of sums made on the way.
struct RowWork {
  const int8_t* panel;
  int width, steps;
  const uint8_t *in, *step_max, *pair_max;  // maxima padded with 64 zeros
  const uint8_t *limit1, *limit2;
  const int32_t* start;
  const float* multiplier;
  int32_t zero_point;
  uint8_t* out;
  int channels;
};
using Row = void (*)(const RowWork&);
void RowSse41(const RowWork& w);
void RowAvx2(const RowWork& w);
void RowAvxVnni(const RowWork& w);
void RowAvx512Vnni(const RowWork& w);
void RowAvxVnniEmulated(const RowWork& w);
void RowAvx512VnniEmulated(const RowWork& w);

using Tile = void (*)(const Work&);

void TileSse41x2x16(const Work& w);
void TileSse41x4x8(const Work& w);
void TileAvx2(const Work& w);
void TileAvxVnni(const Work& w);
void TileAvx512Vnni(const Work& w);
void TileAvxVnniEmulated(const Work& w);
void TileAvx512VnniEmulated(const Work& w);
