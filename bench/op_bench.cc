#include "bench/op_bench.h"

#include <algorithm>
#include <cmath>

#include "platform/aligned_buffer.h"

namespace whit::bench {

std::mt19937& Rng() {
  static std::mt19937 rng(7);
  return rng;
}

std::vector<int8_t> RandomWeights(int64_t count) {
  std::normal_distribution<float> normal(0, 40);
  std::vector<int8_t> w(static_cast<size_t>(count));
  for (auto& v : w) v = static_cast<int8_t>(std::clamp(std::lround(normal(Rng())), -127l, 127l));
  return w;
}

namespace {

constexpr size_t kSlack = 64;  // readable bytes behind every tensor

std::vector<uint8_t> RandomBytes(DType type, int64_t count, Data data) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count) * DTypeSize(type) + kSlack);
  if (type == DType::kFloat32) {
    std::normal_distribution<float> normal(0, 1);
    for (int64_t i = 0; i < count; ++i) {
      const float v = normal(Rng());
      std::memcpy(bytes.data() + 4 * i, &v, 4);
    }
    return bytes;
  }
  std::normal_distribution<float> normal(0, 40);
  for (auto& b : bytes) {
    b = data == Data::kRelu
            ? static_cast<uint8_t>(std::clamp(static_cast<int>(normal(Rng())), 0, 255))
            : static_cast<uint8_t>(Rng()());
  }
  return bytes;
}

}  // namespace

OpBench& OpBench::Input(DType type, Shape shape, Data data) {
  Tensor t{type, shape, data, 0.05f, -128, RandomBytes(type, shape.elements(), data)};
  in_.push_back(std::move(t));
  return *this;
}

OpBench& OpBench::State(DType type, Shape shape) {
  Input(type, shape);
  in_.back().bytes.assign(in_.back().bytes.size(), 0);
  in_.back().state = true;
  return *this;
}

OpBench& OpBench::Output(DType type, Shape shape) {
  Tensor t{type, shape, Data::kRelu, 0.05f, -128, {}};
  t.bytes.resize(static_cast<size_t>(shape.elements()) * DTypeSize(type) + kSlack);
  out_.push_back(std::move(t));
  return *this;
}

int OpBench::Weights(PackedArrays arrays) {
  arrays.data.reserve(arrays.data.size() + 64);
  arrays.sums.reserve(arrays.sums.size() + 16);
  weights_.push_back(std::move(arrays));
  return static_cast<int>(weights_.size()) - 1;
}

View OpBench::ViewOf(const Tensor& t, const simd::Tier& tier, bool with_data) const {
  View v{.type = t.type, .shape = t.shape};
  const bool eight = t.type == DType::kInt8;
  if (eight && tier.act_bias != 0) v.type = DType::kUint8;
  if (eight || t.type == DType::kInt16) {
    const int32_t zero = t.type == DType::kInt16 ? 0 : t.zero_point + tier.act_bias;
    zero_points_.push_back(std::make_unique<int32_t>(zero));
    v.quant = {std::span<const float>(&t.scale, 1),
               std::span<const int32_t>(zero_points_.back().get(), 1)};
  }
  if (with_data) v.data = const_cast<uint8_t*>(t.bytes.data());
  return v;
}

bool OpBench::Prepare(benchmark::State& state, const simd::Tier& tier, Prepared* prepared) {
  fbs::OperatorT op;
  op.name = "bench";
  op.options = options_;
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fbs::Operator::Pack(builder, &op));
  std::vector<View> in, out;
  for (const Tensor& t : in_) in.push_back(ViewOf(t, tier, false));
  for (const Tensor& t : out_) out.push_back(ViewOf(t, tier, false));
  std::vector<PackedWeights> weights;
  for (const PackedArrays& a : weights_) weights.push_back(a.View());
  std::vector<BlobView> blobs;
  for (size_t i = 0; i < blobs_.size(); ++i) blobs.push_back({blobs_[i].data(), blob_bytes_[i]});
  const auto present = std::make_unique<bool[]>(in.size() + 1);
  std::fill_n(present.get(), in.size(), true);
  std::vector<int> variables;
  for (size_t i = 0; i < in_.size(); ++i)
    variables.push_back(in_[i].state ? static_cast<int>(i) : -1);
  PrepareContext ctx;
  ctx.in_variable = variables;
  ctx.op = flatbuffers::GetRoot<fbs::Operator>(builder.GetBufferPointer());
  ctx.type = type_;
  ctx.in = in;
  ctx.present_in = {present.get(), in.size()};
  ctx.out = out;
  ctx.weights = weights;
  ctx.blobs = blobs;
  ctx.act_bias = tier.act_bias;
  ctx.allow_xnnpack = false;
  ctx.tier = &tier;
  for (const Implementation& impl : AlternativesOf(type_)) {
    bool accepted = false;
    std::string why;
    if (impl.prepare(ctx, prepared, &accepted, &why).ok() && accepted) return true;
    *prepared = {};
  }
  const Status status = RowOf(type_).prepare(ctx, prepared);
  if (!status.ok()) state.SkipWithError(status.message().c_str());
  return status.ok();
}

void OpBench::Run(benchmark::State& state, const simd::Tier& tier) {
  Prepared prepared;
  if (!Prepare(state, tier, &prepared)) return;
  auto scratch = AlignedBuffer::Allocate(prepared.scratch_per_thread + 64);
  std::vector<View> in, out;
  for (const Tensor& t : in_) in.push_back(ViewOf(t, tier, true));
  for (const Tensor& t : out_) out.push_back(ViewOf(t, tier, true));
  RunContext run;
  run.params = prepared.params.get();
  run.in = in;
  run.out = out;
  run.tasks = {0, prepared.tasks};
  run.scratch = reinterpret_cast<uint8_t*>(scratch->data());
  for (auto _ : state) prepared.run(run);
  state.SetLabel(prepared.implementation);
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(prepared.macs) * static_cast<double>(state.iterations()) * 1e-9,
      benchmark::Counter::kIsRate);
}

}  // namespace whit::bench
