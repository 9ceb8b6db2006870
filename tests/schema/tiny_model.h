// A small valid model that uses every kind of table, for tests that break it.
#ifndef WHIT_TESTS_SCHEMA_TINY_MODEL_H_
#define WHIT_TESTS_SCHEMA_TINY_MODEL_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schema/file_parts.h"
#include "schema/layout_size.h"
#include "schema/reader.h"
#include "schema/seal.h"
#include "schema/writer.h"

namespace whit {

inline std::vector<std::byte> Filled(int64_t size, int value) {
  return std::vector<std::byte>(static_cast<size_t>(size), static_cast<std::byte>(value));
}

inline std::unique_ptr<fbs::TensorT> MakeTensor(const std::string& name, fbs::DType type,
                                                std::vector<uint32_t> shape, float scale = 0,
                                                int32_t zero_point = 0) {
  auto t = std::make_unique<fbs::TensorT>();
  t->name = name;
  t->type = type;
  t->shape = std::move(shape);
  if (scale != 0) {
    t->quantization = std::make_unique<fbs::QuantizationT>();
    t->quantization->scale = {scale};
    t->quantization->zero_point = {zero_point};
  }
  return t;
}

inline std::unique_ptr<fbs::IoT> MakeIo(const std::string& name, uint32_t tensor, fbs::DType type) {
  auto io = std::make_unique<fbs::IoT>();
  io->name = name;
  io->tensor = tensor;
  io->type = type;
  return io;
}

template <typename O>
std::unique_ptr<fbs::OperatorT> MakeOp(const std::string& name, fbs::Options type, O options,
                                       std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  auto op = std::make_unique<fbs::OperatorT>();
  op->name = name;
  op->options.type = type;
  op->options.value = new O(std::move(options));
  op->inputs = std::move(inputs);
  op->outputs = std::move(outputs);
  return op;
}

/// Weights of a 1x1 convolution, 4 to 10 channels: one panel of 16.
inline std::unique_ptr<fbs::WeightsT> MakeWeights(FileWriter* writer) {
  const WeightDims dims{WeightLayout::kPanel16I8, 1, 10, 1, 4};
  auto w = std::make_unique<fbs::WeightsT>();
  w->name = "conv/w";
  w->layout = fbs::Layout::panel16_i8;
  w->n = 10;
  w->run_length = 4;
  w->shape = {10, 1, 1, 4};
  w->data = writer->AddBlob(Filled(WeightDataBytes(dims), 1));
  w->sums = writer->AddBlob(Filled(WeightSumsBytes(dims), 2));
  w->limits = writer->AddBlob(Filled(WeightLimitsBytes(dims), 127));
  w->pair_flags = writer->AddBlob(Filled(WeightPairFlagsBytes(dims), 0));
  w->scale.assign(10, 0.25f);
  return w;
}

/// in uint8[2,3,3,4] -> Conv2D -> Add constant -> Pad -> out, and a variable that is read and
/// written.
inline FileWriter TinyModel() {
  FileWriter writer;
  fbs::ModelT& g = writer.graph;
  g.name = "tiny";
  g.weights.push_back(MakeWeights(&writer));
  g.dims.push_back(std::make_unique<fbs::DimVarT>());
  g.dims[0]->name = "batch";
  g.dims[0]->max = 2;
  g.dims[0]->value = 1;
  g.labels.push_back(std::make_unique<fbs::LabelsT>());
  g.labels[0]->labels = {"cat", "dog"};
  g.variables.push_back(std::make_unique<fbs::VariableT>());
  g.variables[0]->name = "state";
  g.variables[0]->type = fbs::DType::float32;
  g.variables[0]->shape = {3};
  g.variables[0]->init = writer.AddBlob(Filled(12, 0));

  auto s = std::make_unique<fbs::SubgraphT>();
  s->tensors.push_back(MakeTensor("in", fbs::DType::int8, {2, 3, 3, 4}, 0.5f, -128));  // 0
  s->tensors.push_back(MakeTensor("conv", fbs::DType::int8, {2, 3, 3, 10}, 0.5f, 3));  // 1
  s->tensors.push_back(MakeTensor("offset", fbs::DType::int8, {10}, 0.5f, 0));         // 2
  s->tensors.push_back(MakeTensor("sum", fbs::DType::int8, {2, 3, 3, 10}, 0.5f, 3));   // 3
  s->tensors.push_back(MakeTensor("out", fbs::DType::int8, {2, 5, 5, 10}, 0.5f, 3));   // 4
  s->tensors.push_back(MakeTensor("state", fbs::DType::float32, {3}));                 // 5
  s->tensors.push_back(MakeTensor("next", fbs::DType::float32, {3}));                  // 6
  for (size_t i : {0, 1, 3, 4}) s->tensors[i]->dim_vars = {0, -1, -1, -1};
  s->tensors[2]->blob = writer.AddBlob(Filled(10, 5));
  s->tensors[5]->variable = 0;

  fbs::ConvOptionsT conv;
  conv.weights = 0;
  conv.bias = writer.AddBlob(Filled(40, 0));
  conv.multiplier = writer.AddBlob(Filled(40, 60));
  s->operators.push_back(MakeOp("conv", fbs::Options::Conv2D, conv, {0}, {1}));
  s->operators.push_back(MakeOp("add", fbs::Options::Add, fbs::BinaryOptionsT(), {1, 2}, {3}));
  fbs::PadOptionsT pad;
  pad.before = pad.after = {0, 1, 1, 0};
  s->operators.push_back(MakeOp("pad", fbs::Options::Pad, pad, {3}, {4}));
  s->operators.push_back(MakeOp("exp", fbs::Options::Exp, fbs::UnaryOptionsT(), {5}, {6}));
  fbs::VariableOptionsT assign;
  assign.variable = 0;
  s->operators.push_back(MakeOp("assign", fbs::Options::AssignVariable, assign, {6}, {}));
  g.subgraphs.push_back(std::move(s));

  auto signature = std::make_unique<fbs::SignatureT>();
  signature->name = "serve";
  signature->inputs.push_back(MakeIo("image", 0, fbs::DType::uint8));
  signature->inputs[0]->normalization = std::make_unique<fbs::NormalizationT>();
  signature->inputs[0]->normalization->mean = {127.5f};
  signature->inputs[0]->normalization->std = {127.5f};
  signature->outputs.push_back(MakeIo("scores", 4, fbs::DType::int8));
  signature->outputs[0]->labels = 0;
  g.signatures.push_back(std::move(signature));

  g.provenance.push_back(std::make_unique<fbs::KeyValueT>());
  g.provenance[0]->key = "tool";
  g.provenance[0]->value = "test";
  return writer;
}

inline std::vector<std::byte> TinyFile() { return *TinyModel().Serialize(); }

inline Result<std::shared_ptr<const ModelFile>> OpenBytes(std::span<const std::byte> bytes,
                                                          const ReadLimits& limits = {}) {
  return ModelFile::Open(Mapping::Borrow(bytes), limits);
}

/// The key of the tests.
inline SigningKey TestKey() {
  std::array<std::byte, kSecretSeedBytes> seed;
  seed.fill(std::byte{7});
  return SigningKey::FromSeed(seed);
}

/// The file with a hash tree, signed by TestKey; REQUIRES a valid file and libsodium.
inline std::vector<std::byte> Signed(std::span<const std::byte> bytes) {
  const std::shared_ptr<const ModelFile> file = *OpenBytes(bytes);
  const std::unique_ptr<FileParts> parts = PartsOf(*file);
  fbs::TrustT trust;
  trust.tree = NewHashTree();
  const SigningKey key = TestKey();
  if (!parts->Finish(&trust, &key).ok()) return {};
  return parts->Bytes();
}

/// The sealing key of the tests: 0, 1, 2 and so on.
inline SealKey TestSealKey() {
  SealKey key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  return key;
}

/// The file with its weights sealed under TestSealKey, "vault", and a hash tree; signed too where
/// that is wanted. REQUIRES a valid file and libsodium.
inline std::vector<std::byte> Sealed(std::span<const std::byte> bytes, bool sign = false) {
  const std::shared_ptr<const ModelFile> file = *OpenBytes(bytes);
  fbs::TrustT trust;
  trust.tree = NewHashTree();
  const auto made = SealWeights(*file, TestSealKey(), "vault", &trust);
  const SigningKey key = TestKey();
  if (!made.ok() || !made->parts->Finish(&trust, sign ? &key : nullptr).ok()) return {};
  return made->parts->Bytes();
}

/// Rewrites the header checksum after a test changed the header.
inline void FixChecksum(std::span<std::byte> file) {
  format::Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.checksum = format::HeaderChecksum(header);
  std::memcpy(file.data(), &header, sizeof(header));
}

}  // namespace whit

#endif  // WHIT_TESTS_SCHEMA_TINY_MODEL_H_
