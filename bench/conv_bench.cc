// Convolutions, depthwise and fully connected of real networks, per tier.
//   conv_bench --benchmark_filter='pointwise.*avx2'
#include "bench/op_bench.h"

namespace whit::bench {
namespace {

struct Conv {
  const char* name;
  int64_t h, w, cin, cout, k, stride;
  bool depthwise = false;
  int32_t weight_zero_point = 0;
};

std::unique_ptr<OpBench> MakeInt8(const Conv& c, Data data) {
  const int64_t out_h = CeilDiv(c.h, c.stride), out_w = CeilDiv(c.w, c.stride);
  const auto pad = [&](int64_t n, int64_t out) {
    return std::max<int64_t>(0, (out - 1) * c.stride + c.k - n);
  };
  fbs::ConvOptionsT o;
  o.stride_h = o.stride_w = static_cast<uint32_t>(c.stride);
  const int64_t pad_h = pad(c.h, out_h), pad_w = pad(c.w, out_w);
  o.pad_top = static_cast<uint32_t>(pad_h / 2),
  o.pad_bottom = static_cast<uint32_t>(pad_h - pad_h / 2);
  o.pad_left = static_cast<uint32_t>(pad_w / 2),
  o.pad_right = static_cast<uint32_t>(pad_w - pad_w / 2);
  o.weights = 0, o.bias = 0, o.multiplier = 1;
  const OpType type = c.depthwise ? OpType::kDepthwiseConv2D : OpType::kConv2D;
  auto op = std::make_unique<OpBench>(type, o);
  op->Input(DType::kInt8, {1, c.h, c.w, c.cin}, data);
  op->Output(DType::kInt8, {1, out_h, out_w, c.cout});
  PackedArrays packed;
  if (c.depthwise) {
    packed = PackDw16I8(RandomWeights(c.k * c.k * c.cout), c.k * c.k, c.cout);
    packed.shape = {c.k, c.k, c.cout};
  } else {
    const Runs runs = ConvRuns(c.k, c.k, c.cin, 1, 1);
    packed = PackPanel16I8(RandomWeights(c.cout * c.k * c.k * c.cin), c.cout, 1, runs.runs,
                           runs.run_length);
    packed.shape = {c.cout, c.k, c.k, c.cin};
  }
  packed.zero_point = c.weight_zero_point;
  packed.scale = {1.0f};
  op->Weights(std::move(packed));
  op->Blob(std::vector<int32_t>(static_cast<size_t>(c.cout), 100));
  op->Blob(std::vector<float>(static_cast<size_t>(c.cout), 1e-3f));
  return op;
}

constexpr Conv kConvs[] = {
    {"first 224x224x3->32 s2", 224, 224, 3, 32, 3, 2},
    {"first 224x224x3->32 s2 zw", 224, 224, 3, 32, 3, 2, false, 5},
    {"first 96x96x3->8 s2", 96, 96, 3, 8, 3, 2},
    {"pointwise 112x112 32->16", 112, 112, 32, 16, 1, 1},
    {"pointwise 112x112 32->16 zw", 112, 112, 32, 16, 1, 1, false, 5},
    {"pointwise 112x112 16->96", 112, 112, 16, 96, 1, 1},
    {"pointwise 112x112 16->96 zw", 112, 112, 16, 96, 1, 1, false, 5},
    {"pointwise 48x48 8->16", 48, 48, 8, 16, 1, 1},
    {"pointwise 24x24 16->32", 24, 24, 16, 32, 1, 1},
    {"first 96x96x1->8 s2", 96, 96, 1, 8, 3, 2},
    {"pointwise 56x56 24->144", 56, 56, 24, 144, 1, 1},
    {"pointwise 56x56 144->24", 56, 56, 144, 24, 1, 1},
    {"pointwise 28x28 192->32", 28, 28, 192, 32, 1, 1},
    {"pointwise 14x14 96->576", 14, 14, 96, 576, 1, 1},
    {"pointwise 14x14 576->96", 14, 14, 576, 96, 1, 1},
    {"pointwise 7x7 960->160", 7, 7, 960, 160, 1, 1},
    {"pointwise 7x7 320->1280", 7, 7, 320, 1280, 1, 1},
    {"pointwise 25x5 64->64", 25, 5, 64, 64, 1, 1},
    {"dense 1280->1000", 1, 1, 1280, 1000, 1, 1},
    {"dense 640->128", 1, 1, 640, 128, 1, 1},
    {"3x3 32x32 16->16", 32, 32, 16, 16, 3, 1},
    {"3x3 32x32 16->32 s2", 32, 32, 16, 32, 3, 2},
    {"3x3 16x16 32->32", 16, 16, 32, 32, 3, 1},
    {"3x3 8x8 64->64", 8, 8, 64, 64, 3, 1},
    {"3x3 56x56 64->64", 56, 56, 64, 64, 3, 1},
    {"3x3 14x14 256->256", 14, 14, 256, 256, 3, 1},
    {"depthwise 3x3 112x112x32", 112, 112, 32, 32, 3, 1, true},
    {"depthwise 3x3 112x112x96 s2", 112, 112, 96, 96, 3, 2, true},
    {"depthwise 3x3 56x56x144", 56, 56, 144, 144, 3, 1, true},
    {"depthwise 3x3 56x56x144 zw", 56, 56, 144, 144, 3, 1, true, 5},
    {"depthwise 3x3 14x14x576", 14, 14, 576, 576, 3, 1, true},
    {"depthwise 3x3 7x7x960", 7, 7, 960, 960, 3, 1, true},
    {"depthwise 3x3 48x48x8", 48, 48, 8, 8, 3, 1, true},
    {"depthwise 3x3 64x64x8 zw", 64, 64, 8, 8, 3, 1, true, 5},
    {"depthwise 3x3 48x48x16 s2", 48, 48, 16, 16, 3, 2, true},
    {"depthwise 3x3 24x24x32", 24, 24, 32, 32, 3, 1, true},
    {"depthwise 3x3 24x24x32 s2", 24, 24, 32, 32, 3, 2, true},
    {"depthwise 3x3 56x56x24", 56, 56, 24, 24, 3, 1, true},
    {"depthwise 3x3 12x12x64", 12, 12, 64, 64, 3, 1, true},
    {"depthwise 3x3 28x28x72", 28, 28, 72, 72, 3, 1, true},
    {"depthwise 3x3 28x28x96", 28, 28, 96, 96, 3, 1, true},
    {"depthwise 3x3 25x5x64", 25, 5, 64, 64, 3, 1, true},
    {"depthwise 5x5 28x28x240", 28, 28, 240, 240, 5, 1, true},
};

}  // namespace

void RegisterConvs() {
  for (const Conv& c : kConvs) {
    ForEachTier(c.name, [c] { return MakeInt8(c, Data::kRelu); });
    ForEachTier(std::string(c.name) + " noise", [c] { return MakeInt8(c, Data::kNoise); });
  }
}

}  // namespace whit::bench

int main(int argc, char** argv) {
  whit::bench::RegisterConvs();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
