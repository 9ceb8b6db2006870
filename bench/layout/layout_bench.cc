// Proves the layout of docs/layout.md: packs weights, runs them in place through every tile,
// compares every output byte with a scalar loop over unpacked weights, and times. Usage:
// layout_bench check | time
#include <emmintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conv.h"
#include "layout.h"
#include "tile.h"

namespace {

using layout::Conv;
using layout::Data;
using layout::kNoise;
using layout::kRelu;
using layout::Shape;
using std::vector;

double Seconds() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}
// A chain of dependent additions runs one a cycle.
double ClockGhz() {
  const double t = Seconds();
  uint64_t x = 1;
  for (int i = 0; i < 200000; ++i) {
    asm volatile("add $1,%0\n add $1,%0\n add $1,%0\n add $1,%0\n add $1,%0" : "+r"(x));
  }
  return 1e6 / (Seconds() - t) * 1e-9;
}

bool HasAvxVnni() {
  uint32_t a = 7, b, c = 1, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (a >> 4 & 1) && __builtin_cpu_supports("avx2");
}
struct Tier {
  const char* name;
  Tile tile;
  Row row;
  bool madd, two_panels, runs_here, timed;
};
vector<Tier> Tiers() {
  const bool avx2 = __builtin_cpu_supports("avx2");
  const bool vnni512 = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl");
  return {
      {"sse4.1 2x16", TileSse41x2x16, RowSse41, true, false, bool(__builtin_cpu_supports("sse4.1")),
       true},
      {"sse4.1 4x8", TileSse41x4x8, nullptr, true, false, bool(__builtin_cpu_supports("sse4.1")),
       true},
      {"avx2 4x16", TileAvx2, RowAvx2, true, false, avx2, true},
      {"avxvnni 6x16", TileAvxVnni, RowAvxVnni, false, false, HasAvxVnni(), true},
      {"avx512vnni 8x32", TileAvx512Vnni, RowAvx512Vnni, false, true, vnni512, true},
      {"avxvnni, instruction emulated", TileAvxVnniEmulated, RowAvxVnniEmulated, false, false, avx2,
       false},
      {"avx512vnni, instruction emulated", TileAvx512VnniEmulated, RowAvx512VnniEmulated, false,
       true, avx2, false},
  };
}

// name, h, w, cin, cout, kh, kw, stride, groups, zero points, extreme, valid
const Shape kShapes[] = {
    {"1x1 14x14 96->576", 14, 14, 96, 576, 1, 1, 1},
    {"1x1 14x14 576->96", 14, 14, 576, 96, 1, 1, 1},
    {"1x1 56x56 24->144", 56, 56, 24, 144, 1, 1, 1},
    {"3x3 s2 224x224 3->32", 224, 224, 3, 32, 3, 3, 2},
    {"3x3 s2 96x96 3->8", 96, 96, 3, 8, 3, 3, 2},
    {"3x3 48x48 1->8", 48, 48, 1, 8, 3, 3, 1},
    {"10x4 s2 49x10 1->64", 49, 10, 1, 64, 10, 4, 2},
    {"3x3 56x56 24->24", 56, 56, 24, 24, 3, 3, 1},
    {"3x3 28x28 24->10", 28, 28, 24, 10, 3, 3, 1},
    {"1x1 14x14 96->576 zp", 14, 14, 96, 576, 1, 1, 1, 1, true},
    {"3x3 s2 224x224 3->32 zp", 224, 224, 3, 32, 3, 3, 2, 1, true},
};
const Shape kCheckOnly[] = {
    {"1x1 5x5 7->10", 5, 5, 7, 10, 1, 1, 1},
    {"1x1 5x5 64->10 zp", 5, 5, 64, 10, 1, 1, 1, 1, true},
    {"1x1 3x1 1->1", 3, 1, 1, 1, 1, 1, 1},
    {"3x3 9x9 5->40", 9, 9, 5, 40, 3, 3, 1},
    {"3x3 s2 9x8 6->24 zp", 9, 8, 6, 24, 3, 3, 2, 1, true},
    {"3x3 9x9 12->20 g2", 9, 9, 12, 20, 3, 3, 1, 2},
    {"3x3 7x9 15->72 g3 zp", 7, 9, 15, 72, 3, 3, 1, 3, true},
    {"1x1 5x5 32->64 g4", 5, 5, 32, 64, 1, 1, 1, 4},
    {"5x5 8x8 3->17", 8, 8, 3, 17, 5, 5, 1},
    {"1x3 8x8 3->33", 8, 8, 3, 33, 1, 3, 1},
    {"3x1 8x8 3->48", 8, 8, 3, 48, 3, 1, 1},
    {"3x3 9x9 3->24 extreme", 9, 9, 3, 24, 3, 3, 1, 1, false, true},
    {"1x1 9x9 63->40 extreme zp", 9, 9, 63, 40, 1, 1, 1, 1, true, true},
    {"3x3 9x9 24->24 extreme", 9, 9, 24, 24, 3, 3, 1, 1, false, true},
    {"3x3 valid 9x9 3->8", 9, 9, 3, 8, 3, 3, 1, 1, false, false, true},
    {"3x3 valid 9x9 1->10 zp", 9, 9, 1, 10, 3, 3, 1, 1, true, false, true},
    {"3x3 valid 8x9 7->24", 8, 9, 7, 24, 3, 3, 2, 1, false, false, true},
};

const Shape kRows[] = {
    {"fc 1280->1000", 1, 1, 1280, 1000, 1, 1, 1},
    {"fc 64->10", 1, 1, 64, 10, 1, 1, 1},
    {"fc 250->24", 1, 1, 250, 24, 1, 1, 1},
    {"fc 255->8", 1, 1, 255, 8, 1, 1, 1},
    {"fc 1->1", 1, 1, 1, 1, 1, 1, 1},
    {"fc 643->33 extreme", 1, 1, 643, 33, 1, 1, 1, 1, false, true},
};

int Check() {
  int bad = 0, runs = 0;
  for (const auto& t : Tiers())
    if (!t.runs_here) printf("%s: this CPU lacks the instructions, not run (see mca.py)\n", t.name);
  const auto one = [&](const Shape& s) {
    for (const Data data : {kNoise, kRelu}) {
      Conv c(s, data, -1);
      vector<uint8_t> want;
      c.Reference(&want);
      for (const auto& t : Tiers()) {
        if (!t.runs_here) continue;
        for (const bool im2col : {false, true})
          for (int force = 0; force < (t.madd ? 3 : 1); ++force) {
            const auto& got = c.Run(t.tile, t.madd, t.two_panels, im2col, force);
            ++runs;
            for (size_t i = 0; i < got.size(); ++i)
              if (got[i] != want[i]) {
                printf("BAD %s, %s, %s, force %d: byte %zu is %d, expected %d\n", s.name, t.name,
                       im2col ? "im2col" : "in place", force, i, got[i], want[i]);
                ++bad;
                break;
              }
          }
      }
    }
  };
  for (const auto& s : kShapes) one(s);
  for (const auto& s : kRows)
    for (const Data data : {kNoise, kRelu}) {
      Conv c(s, data, -1);
      vector<uint8_t> want;
      c.Reference(&want);
      for (const auto& tier : Tiers()) {
        if (!tier.runs_here || tier.row == nullptr) continue;
        ++runs;
        if (c.RunRow(tier.row) != want) {
          printf("BAD %s, one row\n", s.name);
          ++bad;
        }
      }
    }
  for (const auto& s : kCheckOnly) one(s);
  // The check must be able to fail: extreme values with the limits ignored.
  Conv control(kCheckOnly[13], kNoise, -1);
  vector<uint8_t> want;
  control.Reference(&want);
  const auto& got = control.Run(TileSse41x2x16, true, false, false, 3);
  int wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) wrong += got[i] != want[i];
  printf(
      "%d runs, %d differ from the scalar loop; control without limits: %d of %zu bytes differ\n",
      runs, bad, wrong, got.size());
  return bad != 0 || wrong == 0;
}

struct Timed {
  std::string name;
  double macs;
  std::function<void()> run;
  double best = 1e9;
  double ghz = 0;
};
// Interleaved: every variant once a round, the minimum counts; the clock is measured beside each
// minimum.
void Time(vector<Timed>* all, double seconds) {
  const double end = Seconds() + seconds;
  do {
    for (auto& t : *all) {
      const double ghz = ClockGhz();
      double best = 1e9;
      for (int i = 0; i < 3; ++i) {
        const double from = Seconds();
        t.run();
        best = std::min(best, Seconds() - from);
      }
      if (best < t.best) t.best = best, t.ghz = ghz;
    }
  } while (Seconds() < end);
}

void TimeConvs() {
  printf("%-26s %-6s %-26s %8s %6s %6s   pairs/singles/wides %%\n", "shape", "data", "tile",
         "GMAC/s", "GHz", "MAC/c");
  for (const auto& s : kShapes) {
    for (const Data data : {kNoise, kRelu}) {
      Conv c(s, data, 64);
      vector<Timed> all;
      vector<vector<double>> shares;
      for (const auto& t : Tiers()) {
        if (!t.runs_here || !t.timed) continue;
        for (const bool im2col : {false, true}) {
          if (im2col && (s.kh * s.kw == 1 || t.tile != TileAvx2)) continue;
          std::fill(c.share, c.share + 3, 0);
          c.Run(t.tile, t.madd, t.two_panels, im2col);
          const double sum = std::max(1., c.share[0] + c.share[1] + c.share[2]);
          shares.push_back({c.share[0] / sum, c.share[1] / sum, c.share[2] / sum});
          all.push_back({std::string(t.name) + (im2col ? " im2col" : ""), c.macs(),
                         [&c, t, im2col] { c.Run(t.tile, t.madd, t.two_panels, im2col); }});
          if (t.tile == TileAvx2 && s.kh > 1 && !im2col) {
            shares.push_back(shares.back());
            all.push_back({"avx2, pairs in a run only", c.macs(),
                           [&c, t] { c.Run(t.tile, t.madd, t.two_panels, false, 4); }});
          }
        }
      }
      Time(&all, 0.3);
      for (size_t i = 0; i < all.size(); ++i) {
        const double rate = all[i].macs / all[i].best * 1e-9;
        printf("%-26s %-6s %-26s %8.1f %6.2f %6.1f   %.0f/%.0f/%.0f\n", s.name,
               data == kNoise ? "noise" : "relu", all[i].name.c_str(), rate, all[i].ghz,
               rate / all[i].ghz, 100 * shares[i][0], 100 * shares[i][1], 100 * shares[i][2]);
      }
    }
  }
}

__attribute__((noinline)) uint64_t ReadAll(const uint8_t* p, size_t n) {
  __m128i s[4] = {};
  for (size_t i = 0; i + 64 <= n; i += 64)
    for (int j = 0; j < 4; ++j)
      s[j] = _mm_xor_si128(s[j], _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i + 16 * j)));
  const __m128i x = _mm_xor_si128(_mm_xor_si128(s[0], s[1]), _mm_xor_si128(s[2], s[3]));
  return uint64_t(_mm_cvtsi128_si64(x));
}

// One row: the weights pass once. `copies` different layers, so that they come from the last cache
// or from memory.
void TimeFullyConnected() {
  const Shape& s = kRows[0];
  printf("\n%-14s %-8s %-6s %-26s %8s %6s %7s\n", s.name, "weights", "data", "tile", "GMAC/s",
         "GHz", "GB/s");
  for (const int copies : {1, 64}) {
    for (const Data data : {kNoise, kRelu}) {
      vector<std::unique_ptr<Conv>> layers;
      for (int i = 0; i < copies; ++i) layers.push_back(std::make_unique<Conv>(s, data, 64));
      const double bytes = double(layers[0]->blob().r.wsum_at()) * copies;
      vector<Timed> all;
      for (const auto& t : Tiers()) {
        if (!t.runs_here || !t.timed) continue;
        all.push_back({t.name, s.macs() * copies, [&layers, t] {
                         for (auto& l : layers) l->Run(t.tile, t.madd, t.two_panels, false);
                       }});
        if (t.row != nullptr)
          all.push_back({std::string(t.name) + " one row", s.macs() * copies, [&layers, t] {
                           for (auto& l : layers) l->RunRow(t.row);
                         }});
      }
      static volatile uint64_t sink;
      all.push_back({"read only", s.macs() * copies, [&layers] {
                       for (auto& l : layers)
                         sink = sink + ReadAll(l->blob().bytes.data(), l->blob().r.wsum_at());
                     }});
      Time(&all, copies > 1 ? 1.5 : 0.4);
      for (const auto& t : all)
        printf("%-14s %-8s %-6s %-26s %8.1f %6.2f %7.1f\n", "", copies == 1 ? "1.3 MB" : "82 MB",
               data == kNoise ? "noise" : "relu", t.name.c_str(), t.macs / t.best * 1e-9, t.ghz,
               bytes / t.best * 1e-9);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "check";
  if (mode == "check") return Check();
  TimeConvs();
  TimeFullyConnected();
  return 0;
}
