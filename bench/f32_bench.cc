// Float32 convolutions, depthwise and fully connected of real networks, per tier.
//   f32_bench --benchmark_filter='depthwise.*avx2'
#include "bench/op_bench.h"

namespace whit::bench {
namespace {

struct Conv {
  const char* name;
  int64_t h, w, cin, cout, kh, kw, stride;
  bool depthwise = false;
};

PackedArrays Pack(const Conv& c) {
  std::normal_distribution<float> normal(0, 0.1f);
  const int64_t taps = c.kh * c.kw;
  std::vector<float> w(static_cast<size_t>(c.cout * taps * (c.depthwise ? 1 : c.cin)));
  for (float& v : w) v = normal(Rng());
  PackedArrays packed;
  if (c.depthwise) {
    packed = PackDw16F32(w, taps, c.cout);
    packed.shape = {c.kh, c.kw, c.cout};
  } else {
    const Runs runs = ConvRuns(c.kh, c.kw, c.cin, 1, 1);
    packed = PackPanel16F32(w, c.cout, 1, runs.runs, runs.run_length);
    packed.shape = {c.cout, c.kh, c.kw, c.cin};
  }
  return packed;
}

std::unique_ptr<OpBench> Make(const Conv& c) {
  const int64_t out_h = CeilDiv(c.h, c.stride), out_w = CeilDiv(c.w, c.stride);
  const auto pad = [&](int64_t n, int64_t out, int64_t kernel) {
    return std::max<int64_t>(0, (out - 1) * c.stride + kernel - n);
  };
  fbs::ConvOptionsT o;
  o.stride_h = o.stride_w = static_cast<uint32_t>(c.stride);
  const int64_t pad_h = pad(c.h, out_h, c.kh), pad_w = pad(c.w, out_w, c.kw);
  o.pad_top = static_cast<uint32_t>(pad_h / 2);
  o.pad_bottom = static_cast<uint32_t>(pad_h - pad_h / 2);
  o.pad_left = static_cast<uint32_t>(pad_w / 2);
  o.pad_right = static_cast<uint32_t>(pad_w - pad_w / 2);
  o.weights = 0, o.bias = 0;
  o.lo = 0;
  auto op = std::make_unique<OpBench>(c.depthwise ? OpType::kDepthwiseConv2D : OpType::kConv2D, o);
  op->Input(DType::kFloat32, {1, c.h, c.w, c.cin});
  op->Output(DType::kFloat32, {1, out_h, out_w, c.cout});
  op->Weights(Pack(c));
  op->Blob(std::vector<float>(static_cast<size_t>(c.cout), 0.1f));
  return op;
}

// Of face_rfb320, MobileNet 0.25, ResNet8, the keyword and anomaly networks of MLPerf Tiny.
constexpr Conv kConvs[] = {
    {"first 224x224x3->8 s2", 224, 224, 3, 8, 3, 3, 2},
    {"first 240x320x3->16 s2", 240, 320, 3, 16, 3, 3, 2},
    {"first 49x10x1->64 s2", 49, 10, 1, 64, 10, 4, 2},
    {"pointwise 112x112 8->16", 112, 112, 8, 16, 1, 1, 1},
    {"pointwise 56x56 16->32", 56, 56, 16, 32, 1, 1, 1},
    {"pointwise 28x28 64->64", 28, 28, 64, 64, 1, 1, 1},
    {"pointwise 14x14 128->128", 14, 14, 128, 128, 1, 1, 1},
    {"pointwise 7x7 256->256", 7, 7, 256, 256, 1, 1, 1},
    {"pointwise 25x5 64->64", 25, 5, 64, 64, 1, 1, 1},
    {"dense 256->1001", 1, 1, 256, 1001, 1, 1, 1},
    {"dense 640->128", 1, 1, 640, 128, 1, 1, 1},
    {"dense 128->128", 1, 1, 128, 128, 1, 1, 1},
    {"3x3 32x32 16->16", 32, 32, 16, 16, 3, 3, 1},
    {"3x3 32x32 16->32 s2", 32, 32, 16, 32, 3, 3, 2},
    {"3x3 16x16 32->32", 16, 16, 32, 32, 3, 3, 1},
    {"3x3 8x8 64->64", 8, 8, 64, 64, 3, 3, 1},
    {"3x3 6x8 64->64", 6, 8, 64, 64, 3, 3, 1},
    {"3x3 6x8 96->16", 6, 8, 96, 16, 3, 3, 1},
    {"3x3 28x28 16->64", 28, 28, 16, 64, 3, 3, 1},
    {"3x3 28x28 48->48", 28, 28, 48, 48, 3, 3, 1},
    {"3x3 30x40 16->12", 30, 40, 16, 12, 3, 3, 1},
    {"3x3 30x40 64->24", 30, 40, 64, 24, 3, 3, 1},
    {"depthwise 112x112x8", 112, 112, 8, 8, 3, 3, 1, true},
    {"depthwise 112x112x16 s2", 112, 112, 16, 16, 3, 3, 2, true},
    {"depthwise 56x56x32", 56, 56, 32, 32, 3, 3, 1, true},
    {"depthwise 14x14x128", 14, 14, 128, 128, 3, 3, 1, true},
    {"depthwise 7x7x256", 7, 7, 256, 256, 3, 3, 1, true},
    {"depthwise 25x5x64", 25, 5, 64, 64, 3, 3, 1, true},
    {"depthwise 30x40x64", 30, 40, 64, 64, 3, 3, 1, true},
    {"depthwise 5x5 28x28x240", 28, 28, 240, 240, 5, 5, 1, true},
};

}  // namespace

void RegisterConvs() {
  for (const Conv& c : kConvs) {
    ForEachTier(c.name, [c] { return Make(c); });
  }
}

}  // namespace whit::bench

int main(int argc, char** argv) {
  whit::bench::RegisterConvs();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
