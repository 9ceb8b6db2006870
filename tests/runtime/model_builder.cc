#include "tests/runtime/model_builder.h"

#include <gtest/gtest.h>

#include <random>

namespace whit {

ModelBuilder::ModelBuilder() {
  writer_.graph.subgraphs.push_back(std::make_unique<fbs::SubgraphT>());
  writer_.graph.subgraphs[0]->name = "main";
  writer_.graph.signatures.push_back(std::make_unique<fbs::SignatureT>());
  writer_.graph.signatures[0]->name = "serve";
}

namespace {

std::unique_ptr<fbs::QuantizationT> QuantizationOf(const ModelBuilder::TensorSpec& spec) {
  if (spec.scale == 0) return nullptr;
  auto q = std::make_unique<fbs::QuantizationT>();
  q->scale = {spec.scale};
  q->zero_point = {spec.zero_point};
  return q;
}

}  // namespace

int ModelBuilder::Tensor(const std::string& name, const TensorSpec& spec) {
  auto t = std::make_unique<fbs::TensorT>();
  t->name = name;
  t->type = spec.type;
  t->shape = spec.shape;
  t->quantization = QuantizationOf(spec);
  t->dim_vars = spec.dim_vars;
  subgraph().tensors.push_back(std::move(t));
  return static_cast<int>(subgraph().tensors.size()) - 1;
}

int ModelBuilder::Constant(const std::string& name, const TensorSpec& spec,
                           std::span<const std::byte> bytes) {
  const int index = Tensor(name, spec);
  subgraph().tensors.back()->blob = writer_.AddBlob(bytes);
  return index;
}

int ModelBuilder::VariableTensor(const std::string& name, const TensorSpec& spec, int variable) {
  const int index = Tensor(name, spec);
  subgraph().tensors.back()->variable = variable;
  return index;
}

int ModelBuilder::Variable(const std::string& name, const TensorSpec& spec) {
  auto v = std::make_unique<fbs::VariableT>();
  v->name = name;
  v->type = spec.type;
  v->shape = spec.shape;
  v->quantization = QuantizationOf(spec);
  writer_.graph.variables.push_back(std::move(v));
  return static_cast<int>(writer_.graph.variables.size()) - 1;
}

int ModelBuilder::Dim(const std::string& name, uint32_t max, uint32_t value) {
  auto d = std::make_unique<fbs::DimVarT>();
  d->name = name;
  d->max = max;
  d->value = value;
  writer_.graph.dims.push_back(std::move(d));
  return static_cast<int>(writer_.graph.dims.size()) - 1;
}

int ModelBuilder::Weights(const PackedArrays& packed) {
  auto w = std::make_unique<fbs::WeightsT>();
  w->name = "w" + std::to_string(writer_.graph.weights.size());
  w->layout = static_cast<fbs::Layout>(packed.layout);
  w->groups = static_cast<uint32_t>(packed.groups);
  w->n = static_cast<uint32_t>(packed.n);
  w->runs = static_cast<uint32_t>(packed.runs);
  w->run_length = static_cast<uint32_t>(packed.run_length);
  for (int i = 0; i < packed.shape.rank(); ++i)
    w->shape.push_back(static_cast<uint32_t>(packed.shape[i]));
  w->data = writer_.AddBlobOf<uint8_t>(packed.data);
  if (!packed.sums.empty()) w->sums = writer_.AddBlobOf<int32_t>(packed.sums);  // none of floats
  if (!packed.limits.empty()) {  // only panel16_i8 has them
    w->limits = writer_.AddBlobOf<uint8_t>(packed.limits);
    w->pair_flags = writer_.AddBlobOf<uint8_t>(packed.pair_flags);
  }
  w->scale = packed.scale;
  w->zero_point = packed.zero_point;
  writer_.graph.weights.push_back(std::move(w));
  return static_cast<int>(writer_.graph.weights.size()) - 1;
}

void ModelBuilder::AddIo(std::vector<std::unique_ptr<fbs::IoT>>* list, int tensor,
                         fbs::DType type) {
  auto io = std::make_unique<fbs::IoT>();
  io->name = subgraph().tensors[static_cast<size_t>(tensor)]->name;
  io->tensor = static_cast<uint32_t>(tensor);
  io->type = type;
  list->push_back(std::move(io));
}

std::vector<std::byte> ModelBuilder::Finish() {
  auto bytes = writer_.Serialize();
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? std::move(bytes).value() : std::vector<std::byte>();
}

namespace {

std::vector<int8_t> RandomBytes(size_t n, std::mt19937* rng) {
  std::uniform_int_distribution<int> dist(-127, 127);
  std::vector<int8_t> out(n);
  for (int8_t& v : out) v = static_cast<int8_t>(dist(*rng));
  return out;
}

// The blobs of one requantizing product: folded bias and multipliers.
struct Epilogue {
  int bias, multiplier;
};

Epilogue AddEpilogue(ModelBuilder* b, const PackedArrays& w, int32_t zx, float multiplier) {
  std::vector<int32_t> bias;
  for (int64_t n = 0; n < w.n; ++n) {
    bias.push_back(FoldBias(static_cast<int32_t>(17 * n), w.sums[static_cast<size_t>(n)],
                            w.runs * w.run_length, zx, 0));
  }
  const std::vector<float> m(static_cast<size_t>(w.n), multiplier);
  return {b->Blob(std::as_bytes(std::span(bias))), b->Blob(std::as_bytes(std::span(m)))};
}

}  // namespace

void ModelBuilder::Conv(const std::string& name, int in, int out, int64_t k, std::mt19937* rng,
                        bool depthwise) {
  const fbs::TensorT& x = *subgraph().tensors[static_cast<size_t>(in)];
  const int64_t cin = x.shape[3];
  const int64_t cout = subgraph().tensors[static_cast<size_t>(out)]->shape[3];
  PackedArrays w;
  if (depthwise) {
    w = PackDw16I8(RandomBytes(static_cast<size_t>(k * k * cout), rng), k * k, cout);
    w.shape = Shape({k, k, cout});
  } else {
    w = PackPanel16I8(RandomBytes(static_cast<size_t>(cout * k * k * cin), rng), cout, 1, k,
                      k * cin);
    w.shape = Shape({cout, k, k, cin});
  }
  w.scale = {0.01f};
  const Epilogue e = AddEpilogue(this, w, x.quantization->zero_point[0], 0.004f);
  fbs::ConvOptionsT o;
  o.weights = Weights(w);
  o.bias = e.bias;
  o.multiplier = e.multiplier;
  o.pad_top = o.pad_bottom = o.pad_left = o.pad_right = static_cast<uint32_t>(k / 2);
  Op(name, depthwise ? fbs::Options::DepthwiseConv2D : fbs::Options::Conv2D, o, {in}, {out});
}

std::vector<std::byte> SmallNetwork(uint32_t max_batch) {
  std::mt19937 rng(7);
  ModelBuilder b;
  const int batch = max_batch == 0 ? -1 : b.Dim("batch", max_batch, 1);
  const auto tensor = [&](const char* name, std::vector<uint32_t> shape, float scale,
                          int32_t zero_point) {
    ModelBuilder::TensorSpec spec{fbs::DType::int8, std::move(shape), scale, zero_point};
    if (batch >= 0) {
      spec.shape[0] = max_batch;
      spec.dim_vars.assign(spec.shape.size(), -1);
      spec.dim_vars[0] = batch;
    }
    return b.Tensor(name, spec);
  };
  const int x = tensor("x", {1, 8, 8, 3}, 0.02f, -5);
  const int c1 = tensor("c1", {1, 8, 8, 8}, 0.05f, 3);
  const int c2 = tensor("c2", {1, 8, 8, 8}, 0.05f, -4);
  const int sum = tensor("sum", {1, 8, 8, 8}, 0.08f, 1);
  const int flat = tensor("flat", {1, 512}, 0.08f, 1);
  const int y = tensor("y", {1, 10}, 0.3f, 0);

  b.Conv("conv1", x, c1, 3, &rng);
  b.Conv("conv2", c1, c2, 3, &rng);
  b.Op("add", fbs::Options::Add, fbs::BinaryOptionsT{}, {c2, c1}, {sum});
  b.Op("flatten", fbs::Options::Reshape, fbs::ReshapeOptionsT{}, {sum}, {flat});
  PackedArrays w = PackPanel16I8(RandomBytes(10 * 512, &rng), 10, 1, 1, 512);
  w.shape = Shape({10, 512});
  w.scale = {0.01f};
  const Epilogue e = AddEpilogue(&b, w, 1, 0.002f);
  fbs::FullyConnectedOptionsT o;
  o.weights = b.Weights(w);
  o.bias = e.bias;
  o.multiplier = e.multiplier;
  b.Op("fc", fbs::Options::FullyConnected, o, {flat}, {y});
  b.Input(x, fbs::DType::uint8);
  b.Output(y, fbs::DType::int8);
  return b.Finish();
}

}  // namespace whit
