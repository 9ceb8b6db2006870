// One operator as a plan would run it, for Google Benchmark: weights and data are random, the
// implementation is the first that accepts on the tier.
#ifndef WHIT_BENCH_OP_BENCH_H_
#define WHIT_BENCH_OP_BENCH_H_

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/op.h"
#include "kernels/pack.h"
#include "kernels/simd/tiers.h"
#include "schema/model_generated.h"

namespace whit::bench {

/// Activations as after a ReLU (half of them the smallest value, the rest Gaussian), or uniform.
enum class Data { kRelu, kNoise };

class OpBench {
 public:
  template <typename OptionsT>
  OpBench(OpType type, OptionsT options) : type_(type) {
    options_.type = static_cast<fbs::Options>(type);
    options_.value = new OptionsT(std::move(options));
  }

  /// int8 tensors are stored as the tier wants them.
  OpBench& Input(DType type, Shape shape, Data data = Data::kRelu);
  /// An input that is a variable; what a run leaves in it the next one reads.
  OpBench& State(DType type, Shape shape);
  OpBench& Output(DType type, Shape shape);
  int Weights(PackedArrays arrays);
  template <typename T>
  int Blob(const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    blobs_.emplace_back(bytes, bytes + values.size() * sizeof(T));
    blobs_.back().resize(blobs_.back().size() + 64);
    blob_bytes_.push_back(values.size() * sizeof(T));
    return static_cast<int>(blobs_.size()) - 1;
  }

  /// Runs `state` on the tier; skips with a reason where it cannot.
  void Run(benchmark::State& state, const simd::Tier& tier);

 private:
  struct Tensor {
    DType type;
    Shape shape;
    Data data;
    float scale = 0.05f;
    int32_t zero_point = 0;
    std::vector<uint8_t> bytes;
    bool state = false;
  };
  bool Prepare(benchmark::State& state, const simd::Tier& tier, Prepared* prepared);
  View ViewOf(const Tensor& tensor, const simd::Tier& tier, bool with_data) const;

  OpType type_;
  fbs::OptionsUnion options_;
  std::vector<Tensor> in_, out_;
  std::vector<PackedArrays> weights_;
  std::vector<std::vector<uint8_t>> blobs_;
  std::vector<size_t> blob_bytes_;
  mutable std::vector<std::unique_ptr<int32_t>> zero_points_;
};

/// Registers one benchmark a usable tier: name/tier.
template <typename MakeOp>
void ForEachTier(const std::string& name, MakeOp make) {
  for (size_t i = 0; i < simd::Tiers().size(); ++i) {
    const simd::Tier& tier = simd::Tiers()[i];
    if (!simd::StateOf(i).usable) continue;
    benchmark::RegisterBenchmark((name + "/" + tier.name).c_str(),
                                 [make, &tier](benchmark::State& s) {
                                   auto op = make();
                                   op->Run(s, tier);
                                 });
  }
}

std::mt19937& Rng();
std::vector<int8_t> RandomWeights(int64_t count);

}  // namespace whit::bench

#endif  // WHIT_BENCH_OP_BENCH_H_
