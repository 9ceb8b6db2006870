// Products that are no plain convolution of bytes, per tier: int16 and hybrid activations,
// transposed convolutions, batched products, recurrent layers.
//   product_bench --benchmark_filter='lstm.*avx2'
#include "bench/op_bench.h"

namespace whit::bench {
namespace {

constexpr DType kI8 = DType::kInt8, kI16 = DType::kInt16, kF32 = DType::kFloat32;

PackedArrays Matrix(int64_t n, int64_t runs, int64_t run_length, Shape shape) {
  PackedArrays w = PackPanel16I8(RandomWeights(n * runs * run_length), n, 1, runs, run_length);
  w.shape = shape;
  w.scale = {0.01f};
  return w;
}

struct Conv {
  const char* name;
  DType in, out;
  int64_t h, w, cin, cout, k, stride;
  bool transposed = false;
};

std::unique_ptr<OpBench> MakeConv(const Conv& c) {
  fbs::ConvOptionsT o;
  o.stride_h = o.stride_w = static_cast<uint32_t>(c.stride);
  o.weights = 0, o.bias = 0, o.multiplier = 1;
  auto op = std::make_unique<OpBench>(c.transposed ? OpType::kTransposeConv2D : OpType::kConv2D, o);
  const auto out = [&](int64_t n) {
    return c.transposed ? (n - 1) * c.stride + c.k : (n - c.k) / c.stride + 1;
  };
  op->Input(c.in, {1, c.h, c.w, c.cin}, Data::kNoise)
      .Output(c.out, {1, out(c.h), out(c.w), c.cout});
  const Runs runs = c.transposed ? Runs{c.k * c.k, c.cin} : ConvRuns(c.k, c.k, c.cin, 1, 1);
  op->Weights(Matrix(c.cout, runs.runs, runs.run_length, {c.cout, c.k, c.k, c.cin}));
  const auto n = static_cast<size_t>(c.cout);
  if (c.in == kI16) {
    op->Blob(std::vector<int64_t>(n, 100));
  } else if (c.in == kF32) {
    op->Blob(std::vector<float>(n, 1));
  } else {
    op->Blob(std::vector<int32_t>(n, 100));
  }
  op->Blob(std::vector<float>(n, c.in == kI16 ? 1e-5f : 1e-3f));
  return op;
}

constexpr Conv kConvs[] = {
    {"int16 1x1 28x28 64->64", kI16, kI16, 28, 28, 64, 64, 1, 1},
    {"int16 3x3 16x16 32->32", kI16, kI16, 16, 16, 32, 32, 3, 1},
    {"int16 7x7 8x166 2->8", kI16, kI16, 8, 166, 2, 8, 7, 1},
    {"hybrid 1x1 28x28 64->64", kF32, kF32, 28, 28, 64, 64, 1, 1},
    {"hybrid dense 256->256", kF32, kF32, 1, 1, 256, 256, 1, 1},
    {"transposed 2x2 s2 32x32 32->16", kI8, kI8, 32, 32, 32, 16, 2, 2, true},
    {"transposed 3x3 s2 16x16 64->32", kI8, kI8, 16, 16, 64, 32, 3, 2, true},
};

std::unique_ptr<OpBench> MakeMatMul(int64_t batch, int64_t m, int64_t k, int64_t n, bool adj_y) {
  fbs::BatchMatMulOptionsT o;
  o.adj_y = adj_y;
  auto op = std::make_unique<OpBench>(OpType::kBatchMatMul, o);
  op->Input(kI8, {batch, m, k}, Data::kNoise);
  op->Input(kI8, adj_y ? Shape{batch, n, k} : Shape{batch, k, n}, Data::kNoise);
  op->Output(kI8, {batch, m, n});
  return op;
}

/// `type` of the activations; weights are int8.
std::unique_ptr<OpBench> MakeLstm(DType type, int64_t steps, int64_t inputs, int64_t cells) {
  fbs::LstmOptionsT o;
  const auto n = static_cast<size_t>(cells);
  for (int gate = 0; gate < 4; ++gate) {
    auto g = std::make_unique<fbs::LstmGateT>();
    g->input_weights = 2 * gate, g->recurrent_weights = 2 * gate + 1;
    g->input_multiplier = g->recurrent_multiplier = 0.01f;
    o.gates.push_back(std::move(g));
  }
  o.hidden_multiplier = 1e-7f;
  o.cell_shift = -11;
  if (type == kI8) o.tables = 0;
  auto op = std::make_unique<OpBench>(OpType::kLstm, o);
  for (int gate = 0; gate < 4; ++gate) {
    op->Weights(Matrix(cells, 1, inputs, {cells, inputs}));
    op->Weights(Matrix(cells, 1, cells, {cells, cells}));
  }
  op->Input(type, {1, steps, inputs}, Data::kNoise);
  op->State(type, {1, cells}).State(type == kI8 ? kI16 : kF32, {1, cells});
  op->Output(type, {1, steps, cells});
  std::vector<int16_t> tables(2 * 513);
  for (size_t i = 0; i < tables.size(); ++i) {
    tables[i] = static_cast<int16_t>(i < 513 ? 63 * i : 127 * (i - 513) - 32512);
  }
  op->Blob(tables);
  op->Blob(std::vector<int32_t>(n));
  return op;
}

std::unique_ptr<OpBench> MakeSvdf(int64_t inputs, int64_t units, uint32_t rank, uint32_t memory) {
  const int64_t filters = units * rank;
  fbs::SvdfOptionsT o;
  o.rank = rank, o.memory = memory;
  o.feature_weights = 0, o.time_weights = 0;
  o.feature_multiplier = o.time_multiplier = 0.001f;
  auto op = std::make_unique<OpBench>(OpType::kSvdf, o);
  op->Weights(Matrix(filters, 1, inputs, {filters, inputs}));
  op->Input(kI8, {1, inputs}, Data::kNoise).State(kI16, {1, filters * memory});
  op->Output(kI8, {1, units});
  op->Blob(std::vector<int16_t>(static_cast<size_t>(filters * memory), 77));
  return op;
}

}  // namespace

void RegisterProducts() {
  for (const Conv& c : kConvs) ForEachTier(c.name, [c] { return MakeConv(c); });
  ForEachTier("matmul 4x64x64x64", [] { return MakeMatMul(4, 64, 64, 64, false); });
  ForEachTier("matmul 4x64x64x64 adj_y", [] { return MakeMatMul(4, 64, 64, 64, true); });
  ForEachTier("lstm int8 28x28->20", [] { return MakeLstm(kI8, 28, 28, 20); });
  ForEachTier("lstm int8 10x128->128", [] { return MakeLstm(kI8, 10, 128, 128); });
  ForEachTier("lstm hybrid 10x128->128", [] { return MakeLstm(kF32, 10, 128, 128); });
  ForEachTier("svdf int8 60->128 rank 1 memory 8", [] { return MakeSvdf(60, 128, 1, 8); });
}

}  // namespace whit::bench

int main(int argc, char** argv) {
  whit::bench::RegisterProducts();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
