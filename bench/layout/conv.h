// A convolution from packed weights: what a plan and a kernel driver would do around the tiles, and
// the scalar loop they are compared with. Rows are read in place; im2col is there for comparison.
#pragma once
#include <emmintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "layout.h"
#include "tile.h"

namespace layout {

using std::vector;

// Bytes whose `slack` last ones end at an unreadable page: an over-read beyond the promise faults.
class Guarded {
 public:
  Guarded(size_t bytes, size_t slack) : size_((bytes + slack + 4095) / 4096 * 4096) {
    map_ = static_cast<uint8_t*>(
        mmap(nullptr, size_ + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (map_ == MAP_FAILED) abort();
    mprotect(map_, 4096, PROT_NONE);
    mprotect(map_ + 4096 + size_, 4096, PROT_NONE);
    data_ = map_ + 4096 + size_ - bytes - slack;
    memset(map_ + 4096, 0xa5, size_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(map_, size_ + 8192); }
  uint8_t* data() const { return data_; }

 private:
  size_t size_;
  uint8_t *map_, *data_;
};

struct Shape {
  const char* name;
  int h, w, cin, cout, kh, kw, stride, groups = 1;
  bool zero_points = false;
  bool extreme = false;  // weights and activations at the ends of their ranges
  bool valid = false;    // no padding
  int out_h() const { return valid ? (h - kh) / stride + 1 : Ceil(h, stride); }
  int out_w() const { return valid ? (w - kw) / stride + 1 : Ceil(w, stride); }
  int pad_y() const { return std::max(0, (out_h() - 1) * stride + kh - h) / 2; }
  int pad_x() const { return std::max(0, (out_w() - 1) * stride + kw - w) / 2; }
  double macs() const { return double(out_h()) * out_w() * cout * kh * kw * (cin / groups); }
};

enum Data {
  kNoise,
  kRelu
};  // uniform 0..255; rectified Gaussian, sigma 40, as after an activation

class Conv {
 public:
  // slack: readable bytes behind the image; -1: just the tail of a run.
  Conv(const Shape& s, Data data, int slack)
      : s_(s),
        zero_bytes_(size_t(s.w) * s.cin + 64),
        input_(zero_bytes_ + size_t(s.h) * s.w * s.cin, slack < 0 ? Tail(s) : slack) {
    std::mt19937 rng(7);
    std::normal_distribution<float> normal(0, 40);
    const int n = s.cout / s.groups, cin = s.cin / s.groups;
    const bool rows = s.kw == 1 || s.groups > 1 ? false : true;
    rec_ = {s.groups, n, s.kw == 1 || rows ? s.kh : s.kh * s.kw, rows ? s.kw * cin : cin, false};
    weights_.resize(size_t(s.cout) * s.kh * s.kw * cin);
    for (auto& w : weights_) {
      const int v = int(std::lround(normal(rng)));
      w = int8_t(s.extreme ? (rng() % 4 == 0 ? 127 : -128) : std::clamp(v, -127, 127));
    }
    if (s.zero_points)
      for (int i = 0; i < s.cout; ++i) zps_.push_back(int8_t(int(rng() % 60) - 30));
    uint8_t* a = input_.data() + zero_bytes_;
    for (size_t i = 0; i < size_t(s.h) * s.w * s.cin; ++i) {
      a[i] = s.extreme       ? uint8_t(rng() % 4 == 0 ? 0 : 255)
             : data == kRelu ? uint8_t(std::clamp(int(normal(rng)), 0, 255))
                             : uint8_t(rng());
    }
    zi_ = data == kRelu ? 0 : 131;
    zo_ = 120;
    blob_ = Pack(rec_, weights_, zps_);
    const int channels = 16 * rec_.panels_total();
    bias_.assign(channels + 16, 0);
    mult_.assign(channels + 16, 0);
    for (int g = 0; g < s.groups; ++g) {
      for (int j = 0; j < n; ++j) {
        const int c = 16 * rec_.panels() * g + j;
        // Activations are u8, so the zero point folded here is the one with 128 added (beta = 128).
        bias_[c] = int32_t(uint32_t(int(rng() % 2001) - 1000) - uint32_t(zi_ * blob_.wsum()[c]));
        mult_[c] =
            (1.f + float(rng() % 64) / 64) / (50.f * std::sqrt(float(rec_.runs * rec_.run_length)));
      }
    }
    kp_ = 4 * rec_.steps();
    memset(input_.data(), zi_, zero_bytes_);
    out_.resize(size_t(s.out_h()) * s.out_w() * s.cout);
    Plan();
  }

  void Reference(vector<uint8_t>* out) const {
    out->assign(out_.size(), 0);
    const int n = rec_.n, cin = s_.cin / s_.groups;
    for (int y = 0; y < s_.out_h(); ++y)
      for (int x = 0; x < s_.out_w(); ++x)
        for (int o = 0; o < s_.cout; ++o) {
          const int g = o / n, c = 16 * rec_.panels() * g + o % n;
          const int8_t* w = &weights_[size_t(o) * s_.kh * s_.kw * cin];
          const int zw = s_.zero_points ? zps_[o] : 0;
          uint32_t acc = uint32_t(bias_[c]) + uint32_t(zi_) * uint32_t(blob_.wsum()[c]);
          for (int ky = 0; ky < s_.kh; ++ky)
            for (int kx = 0; kx < s_.kw; ++kx) {
              const int yy = y * s_.stride + ky - s_.pad_y(), xx = x * s_.stride + kx - s_.pad_x();
              if (yy < 0 || yy >= s_.h || xx < 0 || xx >= s_.w) continue;
              const uint8_t* a = Pixel(yy, xx) + g * cin;
              for (int i = 0; i < cin; ++i)
                acc += uint32_t((a[i] - zi_) * (w[(ky * s_.kw + kx) * cin + i] - zw));
            }
          const float f =
              std::min(std::max(float(int32_t(acc)) * mult_[c], float(-zo_)), float(255 - zo_));
          (*out)[(size_t(y) * s_.out_w() + x) * s_.cout + o] = uint8_t(int(std::lrintf(f)) + zo_);
        }
  }

  // im2col: everything is gathered. Otherwise rows are read in place and only border columns are
  // gathered.
  const vector<uint8_t>& Run(Tile tile, bool madd, bool two_panels, bool im2col, int force = 0) {
    std::fill(out_.begin(), out_.end(), 0);
    for (const auto& b : im2col ? gather_blocks_ : blocks_)
      RunBlock(b, tile, madd, two_panels, force);
    return out_;
  }
  // The same for an image of one pixel (fully connected, batch 1).
  const vector<uint8_t>& RunRow(Row row) {
    std::fill(out_.begin(), out_.end(), 0);
    Maxima(blocks_[0]);
    StepMaxima(0);
    for (int q = 0; q < rec_.panels(); ++q) {
      row({blob_.panel(0, q), rec_.width(q), rec_.steps(), Pixel(0, 0), step_max_.data(),
           pair_max_.data(), blob_.limit1(q), blob_.limit2(q), &bias_[16 * q], &mult_[16 * q], zo_,
           &out_[16 * q], std::min(16, rec_.n - 16 * q)});
    }
    return out_;
  }
  double macs() const { return s_.macs(); }
  const Shape& shape() const { return s_; }
  const Blob& blob() const { return blob_; }
  int steps() const { return rec_.steps(); }
  double share[3];  // pairs, singles, wides of the last run, in steps

 private:
  const uint8_t* Pixel(int y, int x) const {
    return input_.data() + zero_bytes_ + (size_t(y) * s_.w + x) * s_.cin;
  }
  struct Strip {  // pixels with the same offsets
    vector<int32_t> offsets;
    vector<const uint8_t*> in;  // group 0; other groups add to it where read in place
    vector<int> pixels;
    vector<int32_t> out_at;
    bool gathered;
  };
  struct Block {
    int y0, y1;        // output rows
    int in_y0, in_y1;  // input rows they read
    vector<Strip> strips;
    vector<int> gather;  // output pixels to gather, in scratch order
  };

  static int Tail(const Shape& s) {
    const int run = (s.kw > 1 && s.groups == 1 ? s.kw : 1) * (s.cin / s.groups);
    return s.zero_points ? 15 : 4 * Ceil(run, 4) - run;  // sums of activations load 16
  }
  // What a plan would do once: blocks of about 24 KB of input, which columns are interior.
  void Plan() {
    const int per = std::max(1, 24 * 1024 / std::max(1, s_.w * s_.cin * s_.stride));
    size_t most = 0;
    for (int y = 0; y < s_.out_h(); y += per) {
      Block b{y, std::min(s_.out_h(), y + per), 0, 0, {}, {}};
      b.in_y0 = std::max(0, y * s_.stride - s_.pad_y());
      b.in_y1 = std::min(s_.h, (b.y1 - 1) * s_.stride - s_.pad_y() + s_.kh);
      for (int r = b.y0; r < b.y1; ++r) AddRow(r, &b);
      most = std::max(most, b.gather.size());
      blocks_.push_back(std::move(b));
    }
    const int pixels = s_.out_h() * s_.out_w(), block = std::max(8, 24 * 1024 / kp_ / 8 * 8);
    for (int p = 0; p < pixels; p += block) {
      Block b{p / s_.out_w(), 0, 0, 0, {}, {}};
      const int end = std::min(pixels, p + block);
      b.y1 = (end - 1) / s_.out_w() + 1;
      b.in_y0 = std::max(0, b.y0 * s_.stride - s_.pad_y());
      b.in_y1 = std::min(s_.h, (b.y1 - 1) * s_.stride - s_.pad_y() + s_.kh);
      for (int i = p; i < end; ++i) b.gather.push_back(i);
      most = std::max(most, b.gather.size());
      gather_blocks_.push_back(std::move(b));
    }
    scratch_.resize(most * s_.groups * kp_ + 64);
    for (auto* blocks : {&blocks_, &gather_blocks_})
      for (auto& b : *blocks)
        if (!b.gather.empty()) {
          Strip strip;
          strip.gathered = true;
          for (int k = 0; k < rec_.steps(); ++k) strip.offsets.push_back(4 * k);
          for (size_t i = 0; i < b.gather.size(); ++i)
            strip.in.push_back(&scratch_[i * s_.groups * kp_]);
          strip.pixels = b.gather;
          b.strips.push_back(std::move(strip));
        }
    for (auto* blocks : {&blocks_, &gather_blocks_})
      for (auto& b : *blocks)
        for (auto& strip : b.strips)
          for (const int pixel : strip.pixels) strip.out_at.push_back(pixel * s_.cout);
    for (auto& c : chosen_) c.resize(rec_.steps());
    lists_.resize(2 * rec_.steps() + 2);
  }
  void AddRow(int y, Block* b) {
    Strip strip;
    strip.gathered = false;
    const int top = y * s_.stride - s_.pad_y();
    const bool by_tap = rec_.runs == s_.kh * s_.kw && s_.kw > 1;
    // Offsets are from the pixel's first column in the row `anchor`, the first real one. The zero
    // row is as wide as the image, so its distance does not depend on the column.
    const int anchor = std::max(0, top);
    const int zero = -int(Pixel(anchor, 0) - input_.data());
    for (int r = 0; r < rec_.runs; ++r) {
      const int yy = top + (by_tap ? r / s_.kw : r), tap = by_tap ? r % s_.kw : 0;
      const int row = yy < 0 || yy >= s_.h ? zero : (yy - anchor) * s_.w * s_.cin;
      for (int i = 0; i < rec_.run_steps(); ++i)
        strip.offsets.push_back(row + tap * s_.cin + 4 * i);
    }
    for (int x = 0; x < s_.out_w(); ++x) {
      const int left = x * s_.stride - s_.pad_x();
      if (left < 0 || left + s_.kw > s_.w) {
        b->gather.push_back(y * s_.out_w() + x);
      } else {
        strip.in.push_back(Pixel(anchor, left));
        strip.pixels.push_back(y * s_.out_w() + x);
      }
    }
    if (strip.in.empty()) return;
    // Rows of one block share their offsets: one strip.
    for (auto& old : b->strips)
      if (old.offsets == strip.offsets) {
        old.in.insert(old.in.end(), strip.in.begin(), strip.in.end());
        old.pixels.insert(old.pixels.end(), strip.pixels.begin(), strip.pixels.end());
        return;
      }
    b->strips.push_back(std::move(strip));
  }
  void Gather(const vector<int>& pixels) {
    const int cin = s_.cin / s_.groups;
    const bool by_tap = rec_.runs == s_.kh * s_.kw && s_.kw > 1;
    uint8_t* to = scratch_.data();
    for (const int p : pixels) {
      const int y0 = p / s_.out_w() * s_.stride - s_.pad_y();
      const int x0 = p % s_.out_w() * s_.stride - s_.pad_x();
      for (int g = 0; g < s_.groups; ++g) {
        for (int r = 0; r < rec_.runs; ++r, to += 4 * rec_.run_steps()) {
          const int yy = y0 + (by_tap ? r / s_.kw : r), tap = by_tap ? r % s_.kw : 0;
          const int taps = by_tap ? 1 : s_.kw, xx = x0 + tap;
          if (yy < 0 || yy >= s_.h) {
            memset(to, zi_, rec_.run_length);
            continue;
          }
          const int from = std::max(0, -xx), end = std::max(from, std::min(taps, s_.w - xx));
          if (from == 0 && end == taps) {
            memcpy(to, Pixel(yy, xx) + g * cin, rec_.run_length);
            continue;
          }
          memset(to, zi_, rec_.run_length);
          memcpy(to + from * cin, Pixel(yy, xx + from) + g * cin, (end - from) * cin);
        }
      }
    }
  }
  // Largest value of every channel in the block's rows, zero point included.
  void Maxima(const Block& b) {
    const int c = s_.cin, period = c % 16 == 0  ? c
                                   : c % 8 == 0 ? 2 * c
                                   : c % 4 == 0 ? 4 * c
                                                : 16 * c;
    max_.assign(c, uint8_t(s_.kh * s_.kw > 1 ? zi_ : 0));
    const uint8_t* p = Pixel(b.in_y0, 0);
    const size_t n = size_t(b.in_y1 - b.in_y0) * s_.w * c;
    acc_max_.assign(period, 0);
    size_t i = 0;
    for (; i + period <= n; i += period)
      for (int j = 0; j < period; j += 16) {
        __m128i* m = reinterpret_cast<__m128i*>(&acc_max_[j]);
        _mm_storeu_si128(
            m, _mm_max_epu8(_mm_loadu_si128(m),
                            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i + j))));
      }
    for (int j = 0; j < period; ++j) max_[j % c] = std::max(max_[j % c], acc_max_[j]);
    for (; i < n; ++i) max_[i % c] = std::max(max_[i % c], p[i]);
  }
  void StepMaxima(int g) {
    const int cin = s_.cin / s_.groups;
    step_max_.assign(rec_.steps() + 128, 0);
    pair_max_.assign(rec_.pairs() + 64, 0);
    for (int r = 0, s = 0, at = g * cin, end = at + cin; r < rec_.runs; ++r)
      for (int i = 0; i < rec_.run_steps(); ++i, ++s)
        for (int b = 4 * i; b < std::min(rec_.run_length, 4 * i + 4);
             ++b, at = at + 1 == end ? g * cin : at + 1)
          step_max_[s] = std::max(step_max_[s], max_[at]);
    for (int s = 0; s < rec_.steps(); ++s)
      pair_max_[s / 2] = std::max(pair_max_[s / 2], step_max_[s]);
  }
  // 64 bytes: bit i set where a[i] <= b[i], and where a[i] != 0.
  static void Masks(const uint8_t* a, const uint8_t* b, int n, uint64_t* le, uint64_t* used) {
    *le = *used = 0;
    for (int i = 0; i < n; i += 16) {
      const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i));
      const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i));
      *le |= uint64_t(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(x, y), y))) << i;
      *used |= uint64_t(~_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_setzero_si128())) & 0xffff) << i;
    }
  }
  static uint64_t Twice(uint64_t v) {  // bit i -> bits 2i, 2i + 1
    for (int shift = 16; shift > 0; shift /= 2) {
      uint64_t keep = ~uint64_t(0) / ((uint64_t(1) << shift) + 1);
      v = (v | v << shift) & keep;
    }
    return v | v << 1;
  }
  // Pairs of the 64 steps from s on whose two steps are of one run.
  uint64_t WithinRuns(int s) const {
    uint64_t bits = 0;
    for (int i = 0; i < 32; ++i)
      if ((s + 2 * i) % rec_.run_steps() + 1 < rec_.run_steps()) bits |= uint64_t(1) << i;
    return bits;
  }
  // Sorts the steps of a panel by how they may be summed. The maxima are padded with zeros, so what
  // the masks say of limits behind the row is dropped by `used`. force: 1 all singly where limit1
  // allows, 2 all widened, 3 (the control) all paired without asking the limits,
  // 4 no pairs across runs (to see what those bring).
  void Choose(int row, int force) {
    const uint8_t *l1 = blob_.limit1(row), *l2 = blob_.limit2(row);
    num_[0] = num_[1] = num_[2] = 0;
    for (int s = 0; s < rec_.steps(); s += 64) {
      uint64_t le2, used2, le1, used1;
      Masks(&pair_max_[s / 2], l2 + s / 2, 32, &le2, &used2);
      Masks(&step_max_[s], l1 + s, 64, &le1, &used1);
      const int full = std::min(32, (rec_.steps() - s) / 2);
      uint64_t two = used2 & ((uint64_t(1) << full) - 1);
      if (force != 3) two &= le2;
      if (force == 4) two &= WithinRuns(s);
      if (force == 1 || force == 2) two = 0;
      uint64_t left = used1 & ~Twice(two);
      uint64_t one = left & (force == 3 ? ~uint64_t(0) : force == 2 ? 0 : le1), wide = left & ~one;
      for (; two != 0; two &= two - 1) chosen_[0][num_[0]++] = s + 2 * __builtin_ctzll(two);
      for (; one != 0; one &= one - 1) chosen_[1][num_[1]++] = s + __builtin_ctzll(one);
      for (; wide != 0; wide &= wide - 1) chosen_[2][num_[2]++] = s + __builtin_ctzll(wide);
    }
    share[0] += 2 * num_[0];
    share[1] += num_[1];
    share[2] += num_[2];
  }
  Lists Place(const vector<int32_t>& at, int width) {
    Item *out = lists_.data(), *begin[3];
    const uint32_t step = 4 * width;
    for (int kind = 0; kind < 3; ++kind) {
      begin[kind] = out;
      for (int i = 0; i < num_[kind]; ++i) {
        const int s = chosen_[kind][i];
        *out++ = {s * step, at[s], kind == 0 ? at[s + 1] : 0};
      }
    }
    return {begin[0], begin[1], begin[2], num_[0], num_[1], num_[2]};
  }
  // Sum of the real bytes of a pixel's runs: never the tails.
  alignas(16) static constexpr uint8_t kKeep[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                    255, 255, 255, 255, 255, 255, 255, 255};
  int32_t Sum(const uint8_t* p, const vector<int32_t>& offsets) const {
    __m128i sum = _mm_setzero_si128();
    const __m128i zero = sum;
    for (int r = 0; r < rec_.runs; ++r) {
      const uint8_t* a = p + offsets[r * rec_.run_steps()];
      int i = 0;
      for (; i + 16 <= rec_.run_length; i += 16)
        sum = _mm_add_epi64(
            sum, _mm_sad_epu8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)), zero));
      if (i == rec_.run_length) continue;
      const __m128i tail = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i));
      const __m128i keep =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(kKeep + 16 - (rec_.run_length - i)));
      sum = _mm_add_epi64(sum, _mm_sad_epu8(_mm_and_si128(tail, keep), zero));
    }
    return _mm_cvtsi128_si32(sum) + _mm_cvtsi128_si32(_mm_unpackhi_epi64(sum, sum));
  }

  void RunBlock(const Block& b, Tile tile, bool madd, bool two_panels, int force) {
    Gather(b.gather);
    if (madd) Maxima(b);
    for (int g = 0; g < s_.groups; ++g) {
      if (madd) StepMaxima(g);
      RunGroup(b, g, tile, madd, two_panels, force);
    }
  }
  void RunGroup(const Block& b, int g, Tile tile, bool madd, bool two_panels, int force) {
    for (size_t t = 0; t < b.strips.size() && s_.zero_points; ++t) {
      if (asum_.size() <= t) asum_.emplace_back();
      asum_[t].clear();
      const int shift = b.strips[t].gathered ? g * kp_ : g * (s_.cin / s_.groups);
      for (const uint8_t* p : b.strips[t].in)
        asum_[t].push_back(Sum(p + shift, b.strips[t].offsets));
    }
    for (int q = 0; q < rec_.panels();) {
      const int row = g * rec_.panels() + q;
      const int many = two_panels && q + 1 < rec_.panels() && rec_.width(q + 1) == 16 ? 2 : 1;
      Work w{};
      w.panel = blob_.panel(g, q);
      w.width = rec_.width(q);
      w.steps = rec_.steps();
      int32_t neg[32] = {};
      if (s_.zero_points) {
        for (int i = 0; i < 16 * many; ++i) neg[i] = -blob_.wzp()[16 * row + i];
        w.neg_zp = neg;
      }
      w.start = &bias_[16 * row];
      w.multiplier = &mult_[16 * row];
      w.zero_point = zo_;
      w.channels = std::min(16 * many, rec_.n - 16 * q);
      if (madd) Choose(row, force);
      for (size_t t = 0; t < b.strips.size(); ++t) {
        const Strip& strip = b.strips[t];
        Lists lists{};
        if (madd) lists = Place(strip.offsets, w.width);
        w.lists = &lists;
        w.offsets = strip.offsets.data();
        w.asum = s_.zero_points ? asum_[t].data() : nullptr;
        w.count = int(strip.in.size());
        w.out = &out_[g * rec_.n + 16 * q];
        w.out_at = strip.out_at.data();
        w.in = strip.in.data();
        if (g > 0) {
          const int shift = strip.gathered ? g * kp_ : g * (s_.cin / s_.groups);
          shifted_.assign(strip.in.begin(), strip.in.end());
          for (auto& p : shifted_) p += shift;
          w.in = shifted_.data();
        }
        tile(w);
      }
      q += many;
    }
  }

  Shape s_;
  size_t zero_bytes_;  // a row as wide as the image, filled with the zero point, in front of it
  Guarded input_;
  Record rec_;
  vector<int8_t> weights_, zps_;
  Blob blob_;
  vector<int32_t> bias_;
  vector<float> mult_;
  int zi_, zo_, kp_;
  vector<uint8_t> out_, scratch_, max_, acc_max_, step_max_, pair_max_;
  vector<Block> blocks_, gather_blocks_;
  vector<int> chosen_[3];
  int num_[3];
  vector<Item> lists_;
  vector<vector<int32_t>> asum_;
  vector<const uint8_t*> shifted_;
};

}  // namespace layout
