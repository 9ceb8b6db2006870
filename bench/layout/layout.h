// docs/layout.md in scalar code: the record, the sizes, the pack function and the arrays derived
// from the weights. Written for the proofs in this folder; it is the page, not the library.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace layout {

inline int Ceil(int a, int b) { return (a + b - 1) / b; }
inline size_t Up64(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct Record {
  int groups, n, runs, run_length;
  bool zero_points;

  int panels() const { return Ceil(n, 16); }
  int panels_total() const { return groups * panels(); }
  int run_steps() const { return Ceil(run_length, 4); }
  int steps() const { return runs * run_steps(); }
  int pairs() const { return Ceil(steps(), 2); }
  int width(int panel) const { return n - 16 * panel <= 8 ? 8 : 16; }
  size_t group_bytes() const {
    return Up64(size_t(steps()) * (64 * (panels() - 1) + 4 * width(panels() - 1)));
  }
  size_t offset(int g, int out, int r, int i) const {
    return g * group_bytes() + size_t(64) * steps() * (out / 16) +
           4 * width(out / 16) * (r * run_steps() + i / 4) + 4 * (out % 16) + i % 4;
  }
  // Parts of the blob, in this order.
  size_t wsum_at() const { return groups * group_bytes(); }
  size_t wzp_at() const { return wsum_at() + 64 * panels_total(); }
  size_t limit1_at() const { return wzp_at() + (zero_points ? Up64(16 * panels_total()) : 0); }
  size_t limit2_at() const {
    return limit1_at() +
           Up64(size_t(panels_total() - 1) * steps() + size_t(64) * Ceil(steps(), 64));
  }
  size_t minus128_at() const {
    return limit2_at() +
           Up64(size_t(panels_total() - 1) * pairs() + size_t(32) * Ceil(steps(), 64));
  }
  size_t blob_bytes() const { return minus128_at() + Up64(panels_total()); }
};

struct Blob {
  Record r;
  std::vector<uint8_t> bytes;

  const int8_t* panel(int g, int q) const {
    return reinterpret_cast<const int8_t*>(bytes.data()) + g * r.group_bytes() +
           size_t(64) * r.steps() * q;
  }
  const int32_t* wsum() const { return reinterpret_cast<const int32_t*>(&bytes[r.wsum_at()]); }
  const int8_t* wzp() const {
    return r.zero_points ? reinterpret_cast<const int8_t*>(&bytes[r.wzp_at()]) : nullptr;
  }
  const uint8_t* limit1(int row) const { return &bytes[r.limit1_at() + size_t(row) * r.steps()]; }
  const uint8_t* limit2(int row) const { return &bytes[r.limit2_at() + size_t(row) * r.pairs()]; }
  uint8_t minus128(int row) const { return bytes[r.minus128_at() + row]; }
};

// Largest sum of same-sign weights over the s16 lanes of `count` steps from `s` on.
inline int LargestSum(const int8_t* panel, int width, int s, int count) {
  int most = 0;
  for (int lane = 0; lane < 2 * width; ++lane) {
    int pos = 0, neg = 0;
    for (int t = s; t < s + count; ++t) {
      for (int b = 0; b < 2; ++b) {
        const int w = panel[(t * 2 * width + lane) * 2 + b];
        (w > 0 ? pos : neg) += std::abs(w);
      }
    }
    most = std::max({most, pos, neg});
  }
  return most;
}
inline uint8_t Limit(int sum) { return uint8_t(sum == 0 ? 255 : std::min(255, 32767 / sum)); }

inline uint8_t Minus128(const int8_t* panel, int width, int steps) {
  uint8_t bits = 0;
  for (int s = 0; s < steps; ++s) {
    for (int b = 0; b < 4 * width; ++b) {
      const int8_t* w = panel + s * 4 * width + b;
      if (*w != -128) continue;
      if (s % 2 == 0 && s + 1 < steps && w[4 * width] == -128) bits |= 1;
      if (b % 4 < 2 && w[2] == -128) bits |= 2;
    }
  }
  return bits;
}

// w: [groups][n][runs][run_length], zero_points: [groups][n] or empty.
inline Blob Pack(Record r, const std::vector<int8_t>& w, const std::vector<int8_t>& zero_points) {
  r.zero_points = !zero_points.empty();
  Blob blob{r, std::vector<uint8_t>(r.blob_bytes())};
  uint8_t* base = blob.bytes.data();
  for (int g = 0; g < r.groups; ++g) {
    for (int out = 0; out < r.n; ++out) {
      const int channel = 16 * r.panels() * g + out;
      const int zp = r.zero_points ? zero_points[g * r.n + out] : 0;
      const int8_t* from = &w[size_t(g * r.n + out) * r.runs * r.run_length];
      int32_t sum = 0;
      for (int run = 0; run < r.runs; ++run) {
        for (int i = 0; i < r.run_length; ++i, ++from) {
          base[r.offset(g, out, run, i)] = uint8_t(*from);
          sum += *from - zp;
        }
      }
      reinterpret_cast<int32_t*>(base + r.wsum_at())[channel] = sum;
      if (r.zero_points) base[r.wzp_at() + channel] = uint8_t(zp);
    }
    for (int q = 0; q < r.panels(); ++q) {
      const int row = g * r.panels() + q, width = r.width(q);
      const int8_t* panel = blob.panel(g, q);
      for (int s = 0; s < r.steps(); ++s) {
        base[r.limit1_at() + size_t(row) * r.steps() + s] = Limit(LargestSum(panel, width, s, 1));
        if (s % 2 == 1) {
          base[r.limit2_at() + size_t(row) * r.pairs() + s / 2] =
              Limit(LargestSum(panel, width, s - 1, 2));
        }
      }
      base[r.minus128_at() + row] = Minus128(panel, width, r.steps());
    }
  }
  return blob;
}

}  // namespace layout
