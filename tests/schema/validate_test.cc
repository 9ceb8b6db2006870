// Each rule of validate.h broken once, in a model that is otherwise valid; the message must name
// the thing and the numbers.
#include "schema/validate.h"

#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <limits>

#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

using Change = std::function<void(fbs::ModelT&)>;

struct Case {
  const char* name;
  Change change;
  const char* message;  // a part of it
};

fbs::SubgraphT& Main(fbs::ModelT& g) { return *g.subgraphs[0]; }
fbs::TensorT& T(fbs::ModelT& g, size_t i) { return *Main(g).tensors[i]; }
fbs::OperatorT& Op(fbs::ModelT& g, size_t i) { return *Main(g).operators[i]; }
fbs::WeightsT& W(fbs::ModelT& g) { return *g.weights[0]; }
fbs::SignatureT& S(fbs::ModelT& g) { return *g.signatures[0]; }
fbs::ConvOptionsT& Conv(fbs::ModelT& g) { return *Op(g, 0).options.AsConv2D(); }

Status Open(FileWriter& writer) {
  auto bytes = writer.Serialize();
  if (!bytes.ok()) return bytes.status();
  return OpenBytes(*bytes).status();
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

const Case kTensorCases[] = {
    {"Type", [](auto& g) { T(g, 1).type = static_cast<fbs::DType>(8); },
     "tensor 1 'conv': type 8 is unknown, the largest is 7"},
    {"Rank", [](auto& g) { T(g, 6).shape.assign(9, 1); }, "tensor 6 'next': rank 9, at most 8"},
    {"ZeroDim", [](auto& g) { T(g, 6).shape = {0}; }, "dimension 0 is 0"},
    {"Product",
     [](auto& g) {
       T(g, 6).shape = {65536, 32768};
     },
     "more than 2147483647 elements"},
    {"ProductWraps",
     [](auto& g) {
       T(g, 6).shape = {1u << 31, 1u << 31, 1u << 31};
     },
     "more than 2147483647 elements"},
    {"ProductWrapsToOne", [](auto& g) { T(g, 6).shape.assign(8, 0xffffffff); },
     "more than 2147483647 elements"},
    {"ScaleCount",
     [](auto& g) {
       T(g, 1).quantization->scale = {1, 2};
     },
     "2 scales, but 1 zero points"},
    {"ScaleZero", [](auto& g) { T(g, 1).quantization->scale = {0}; },
     "scale 0 is 0.000000, must be finite and positive"},
    {"ScaleNan", [](auto& g) { T(g, 1).quantization->scale = {kNan}; },
     "must be finite and positive"},
    {"ScaleInf", [](auto& g) { T(g, 1).quantization->scale = {kInf}; },
     "must be finite and positive"},
    {"ScaleNegative", [](auto& g) { T(g, 1).quantization->scale = {-1}; },
     "must be finite and positive"},
    {"ZeroPoint", [](auto& g) { T(g, 1).quantization->zero_point = {128}; },
     "zero point 128 is outside of -128..127"},
    {"Axis", [](auto& g) { T(g, 1).quantization->axis = 4; },
     "quantization axis 4 does not exist, there are 4"},
    {"AxisNegative", [](auto& g) { T(g, 1).quantization->axis = -2; },
     "quantization axis -2 does not exist"},
    {"AxisLength", [](auto& g) { T(g, 1).quantization->axis = 1; }, "1 scales for axis 1 of 3"},
    {"NoAxis",
     [](auto& g) {
       T(g, 1).quantization->scale = {1, 2};
       T(g, 1).quantization->zero_point = {0, 0};
     },
     "2 scales without an axis"},
    {"QuantizedUint8", [](auto& g) { T(g, 1).type = fbs::DType::uint8; },
     "is quantized, which type uint8 cannot be"},
    {"Blob", [](auto& g) { T(g, 2).blob = 999; },
     "tensor 2 'offset': constant: blob 999 does not exist, there are"},
    {"BlobNegative", [](auto& g) { T(g, 2).blob = -2; }, "constant: blob -2 does not exist"},
    {"BlobSize", [](auto& g) { T(g, 2).shape = {11}; },
     "constant: 11 bytes expected, blob 5 has 10"},
    {"Variable", [](auto& g) { T(g, 5).variable = 1; }, "variable 1 does not exist, there are 1"},
    {"VariableShape", [](auto& g) { T(g, 5).shape = {4}; }, "has another shape than variable 0"},
    {"VariableRank", [](auto& g) { T(g, 5).shape = {}; }, "has another shape than variable 0"},
    {"VariableType", [](auto& g) { T(g, 5).type = fbs::DType::int32; },
     "has another type than variable 0"},
    {"VariableAndBlob", [](auto& g) { T(g, 5).blob = g.variables[0]->init; },
     "both a constant and a variable"},
    {"VariableInit", [](auto& g) { g.variables[0]->shape = {4}; },
     "variable 0 'state': initial value: 16 bytes expected"},
    {"DimVarCount", [](auto& g) { T(g, 0).dim_vars = {0}; }, "1 dimension variables for rank 4"},
    {"DimVarIndex", [](auto& g) { T(g, 0).dim_vars[0] = 1; },
     "dimension variable 1 does not exist, there are 1"},
    {"DimVarBound", [](auto& g) { T(g, 0).shape[0] = 3; },
     "dimension 0 is 3, the upper bound of its variable is 2"},
    {"DimVarConstant",
     [](auto& g) {
       T(g, 2).shape = {2, 5};
       T(g, 2).dim_vars = {0, -1};
     },
     "a constant or variable has a dimension that varies"},
    {"DimValue", [](auto& g) { g.dims[0]->value = 3; },
     "dimension 0 'batch': value 3 is outside of 1..2"},
    {"DimName", [](auto& g) { g.dims[0]->name = ""; }, "has no name"},
    {"DimTwice", [](auto& g) { g.dims.push_back(std::make_unique<fbs::DimVarT>(*g.dims[0])); },
     "two have the same name"},
    {"DimHuge", [](auto& g) { g.dims[0]->max = 1u << 31; }, "2^31 or more"},
};

const Case kWeightCases[] = {
    {"Layout", [](auto& g) { W(g).layout = static_cast<fbs::Layout>(4); },
     "weights 0 'conv/w': layout 4 is unknown"},
    {"N", [](auto& g) { W(g).n = 0; }, "must be at least 1"},
    {"Groups", [](auto& g) { W(g).groups = 3; }, "n is not a multiple of groups (groups 3, n 10"},
    {"Huge", [](auto& g) { W(g).run_length = 0xffffffff; }, "2^31 or more"},
    {"HugeProduct", [](auto& g) { W(g).runs = W(g).run_length = 1u << 20; }, "2^31"},
    {"Shape",
     [](auto& g) {
       W(g).shape = {10, 5};
     },
     "the shape has 50 elements, n * runs * run_length is 40"},
    {"DataSize",
     [](auto& g) {
       W(g).run_length = 8;
       W(g).shape = {10, 8};
     },
     "data: 128 bytes expected, blob 0 has 64"},
    {"DataMissing", [](auto& g) { W(g).data = -1; }, "data: blob -1 does not exist"},
    {"SumsMissing", [](auto& g) { W(g).sums = -1; }, "sums: blob -1 does not exist"},
    {"SumsSize", [](auto& g) { W(g).sums = W(g).data; }, "sums: 40 bytes expected, blob 0 has 64"},
    {"LimitsSize", [](auto& g) { W(g).limits = W(g).data; }, "limits: 128 bytes expected"},
    {"PairFlags", [](auto& g) { W(g).pair_flags = W(g).sums; }, "pair flags: 64 bytes expected"},
    {"Scales", [](auto& g) { W(g).scale.resize(9); }, "9 scales, 1 or 10 expected"},
    {"ScaleValue", [](auto& g) { W(g).scale[7] = 0; }, "scale 7 is 0.000000"},
    {"ZeroPoint", [](auto& g) { W(g).zero_point = -129; },
     "zero point -129 is outside of -128..127"},
    {"FloatWithScales", [](auto& g) { W(g).layout = fbs::Layout::panel16_f32; },
     "float weights have 10 scales"},
    {"DepthwiseRunLength", [](auto& g) { W(g).layout = fbs::Layout::dw16_i8; },
     "depthwise weights have a run_length of 1"},
};

const Case kGraphCases[] = {
    {"NoSubgraph", [](auto& g) { g.subgraphs.clear(); }, "graph: has no subgraph"},
    {"NoSignature", [](auto& g) { g.signatures.clear(); }, "graph: has no signature"},
    {"ManySignatures",
     [](auto& g) {
       for (int i = 0; i < 16; ++i) g.signatures.push_back(std::make_unique<fbs::SignatureT>(S(g)));
     },
     "17 signatures, at most 16"},
    {"NoInputs", [](auto& g) { S(g).inputs.clear(); }, "has 0 inputs and 1 outputs"},
    {"NoOutputs", [](auto& g) { S(g).outputs.clear(); }, "has 1 inputs and 0 outputs"},
    {"SignatureSubgraph", [](auto& g) { S(g).subgraph = 1; },
     "signature 0 'serve': subgraph 1 does not exist, there are 1"},
    {"IoTensor", [](auto& g) { S(g).inputs[0]->tensor = 7; },
     "input 0 'image': tensor 7 does not exist, there are 7"},
    {"IoType", [](auto& g) { S(g).inputs[0]->type = fbs::DType::float32; },
     "is float32, but tensor 0 'in' is int8"},
    {"IoTypeUnknown", [](auto& g) { S(g).inputs[0]->type = static_cast<fbs::DType>(9); },
     "type 9 is unknown"},
    {"IoLabels", [](auto& g) { S(g).outputs[0]->labels = 1; },
     "labels 1 does not exist, there are 1"},
    {"InputConstant",
     [](auto& g) {
       S(g).inputs[0]->tensor = 2;
       S(g).inputs[0]->type = fbs::DType::int8;
     },
     "already a constant"},
    {"InputTwice",
     [](auto& g) { S(g).inputs.push_back(std::make_unique<fbs::IoT>(*S(g).inputs[0])); },
     "already an input"},
    {"InputProduced", [](auto& g) { S(g).inputs.push_back(MakeIo("x", 1, fbs::DType::int8)); },
     "operator 0 'conv' (Conv2D): output 0 is tensor 1 'conv', which is already an input of the "
     "model"},
    {"OutputUndefined",
     [](auto& g) {
       Main(g).tensors.push_back(MakeTensor("lost", fbs::DType::float32, {1}));
       S(g).outputs.push_back(MakeIo("lost", 7, fbs::DType::float32));
     },
     "tensor 7 'lost' is neither computed by an operator nor given"},
    {"Std", [](auto& g) { S(g).inputs[0]->normalization->std = {0}; },
     "must be finite, and the second not 0"},
    {"MeanCount",
     [](auto& g) {
       S(g).inputs[0]->normalization->mean = {1, 2};
     },
     "2 means and 1 standard deviations"},
    {"Resize", [](auto& g) { S(g).inputs[0]->normalization->resize = static_cast<fbs::Resize>(3); },
     "resize rule 3 is unknown"},
    {"InputIndex", [](auto& g) { Op(g, 1).inputs[1] = 7; },
     "operator 1 'add' (Add): input: tensor 7 does not exist, there are 7"},
    {"InputNegative", [](auto& g) { Op(g, 1).inputs[1] = -2; }, "tensor -2 does not exist"},
    {"OutputAbsent", [](auto& g) { Op(g, 1).outputs[0] = -1; }, "output: tensor -1 does not exist"},
    {"UsedTooEarly", [](auto& g) { Op(g, 0).inputs[0] = 3; },
     "operator 0 'conv' (Conv2D): input 0 is tensor 3 'sum', which nothing before this operator "
     "computes"},
    {"Cycle", [](auto& g) { Op(g, 1).inputs[1] = 3; }, "nothing before this operator computes"},
    {"Swapped", [](auto& g) { std::swap(Main(g).operators[0], Main(g).operators[1]); },
     "nothing before this operator computes"},
    {"ProducedTwice", [](auto& g) { Op(g, 1).outputs[0] = 1; },
     "which is already the output of an earlier operator"},
    {"WritesConstant", [](auto& g) { Op(g, 1).outputs[0] = 2; }, "which is already a constant"},
    {"WritesVariable", [](auto& g) { Op(g, 3).outputs[0] = 5; }, "which is already a variable"},
    {"Version", [](auto& g) { Op(g, 2).version = 2; },
     "operator version 2, this reader knows 1..1"},
    {"VersionZero", [](auto& g) { Op(g, 2).version = 0; }, "operator version 0"},
    {"NoOptions", [](auto& g) { Op(g, 2).options.Reset(); }, "operator type 0 is unknown"},
    {"Weights", [](auto& g) { Conv(g).weights = 1; },
     "weights: weights 1 does not exist, there are 1"},
    {"Bias", [](auto& g) { Conv(g).bias = 99; }, "bias: blob 99 does not exist"},
    {"Multiplier", [](auto& g) { Conv(g).multiplier = -2; }, "multiplier: blob -2 does not exist"},
    {"Clamp",
     [](auto& g) {
       Conv(g).lo = 1;
       Conv(g).hi = 0;
     },
     "lo 1.000000 must not be above hi 0.000000"},
    {"ClampNan", [](auto& g) { Conv(g).lo = kNan; }, "must not be above"},
    {"LongList", [](auto& g) { Op(g, 2).options.AsPad()->before.resize(9); },
     "before has 9 elements, at most 8"},
    {"PadMode", [](auto& g) { Op(g, 2).options.AsPad()->mode = static_cast<fbs::PadMode>(3); },
     "mode 3 is unknown"},
    {"AssignVariable", [](auto& g) { Op(g, 4).options.AsAssignVariable()->variable = -1; },
     "variable -1 does not exist"},
    {"LstmGate",
     [](auto& g) {
       fbs::LstmOptionsT lstm;
       lstm.gates.push_back(std::make_unique<fbs::LstmGateT>());
       lstm.gates.push_back(std::make_unique<fbs::LstmGateT>());
       lstm.gates[1]->recurrent_weights = 5;
       Main(g).operators.push_back(MakeOp("lstm", fbs::Options::Lstm, lstm, {}, {}));
     },
     "operator 5 'lstm' (Lstm) gate 1: recurrent_weights: weights 5 does not exist, there are 1"},
    {"NameIsCutAndClean",
     [](auto& g) {
       Op(g, 2).name = "\x1b[31m" + std::string(5000, 'x');
       Op(g, 2).version = 2;
     },
     "operator 2 '?[31mxxx"},
};

void BreakEach(std::span<const Case> cases) {
  for (const Case& c : cases) {
    FileWriter writer = TinyModel();
    c.change(writer.graph);
    const Status status = Open(writer);
    ASSERT_FALSE(status.ok()) << c.name;
    EXPECT_NE(status.message().find(c.message), std::string::npos)
        << c.name << ": " << status.message();
    EXPECT_LT(status.message().size(), 600u) << c.name;
  }
}

TEST(ValidateTest, TheTinyModelIsValid) {
  FileWriter writer = TinyModel();
  EXPECT_EQ(Open(writer).message(), "");
}

TEST(ValidateTest, Tensors) { BreakEach(kTensorCases); }
TEST(ValidateTest, Weights) { BreakEach(kWeightCases); }
TEST(ValidateTest, Graph) { BreakEach(kGraphCases); }

TEST(ValidateTest, AllowedThings) {
  const Change changes[] = {
      [](auto& g) { Op(g, 1).inputs.push_back(-1); },  // absent optional input
      [](auto& g) {
        S(g).outputs.push_back(MakeIo("w", 2, fbs::DType::int8));
      },  // a constant as output
      [](auto& g) {
        S(g).outputs.push_back(MakeIo("i", 0, fbs::DType::uint8));
      },  // an input passed through
      [](auto& g) { W(g).limits = W(g).pair_flags = -1; },
      [](auto& g) { W(g).scale.resize(1); },
      [](auto& g) { g.signatures.push_back(std::make_unique<fbs::SignatureT>(S(g))); },
      [](auto& g) {
        g.subgraphs.push_back(std::make_unique<fbs::SubgraphT>(Main(g)));
      },  // named by no signature
      [](auto& g) { Conv(g).bias = -1; },
  };
  for (const Change& change : changes) {
    FileWriter writer = TinyModel();
    change(writer.graph);
    EXPECT_EQ(Open(writer).message(), "");
  }
}

// Blob records are the writer's, so these are changed in the graph's bytes: find the record by its
// size and offset.
TEST(ValidateTest, BlobRanges) {
  const auto original = TinyFile();
  auto opened = OpenBytes(original);
  ASSERT_TRUE(opened.ok());
  const uint64_t section = (*opened)->weights_section().size();
  const struct {
    unsigned blob;
    bool offset;
    uint64_t value;
    const char* message;
  } cases[] = {
      {1, true, 32, "blob 1: offset 32 is not a multiple of 64"},
      {1, true, section + 64, "end outside of the weights section"},
      {1, true, ~uint64_t{63}, "end outside of the weights section"},
      {1, false, UINT64_MAX, "end outside of the weights section"},
      {1, false, section, "end outside of the weights section"},
      {1, true, 128, "begins at 128"},
      {1, false, 65, "begins at 128, blob 1 ends only at 129"},
  };
  for (const auto& c : cases) {
    auto bytes = original;
    const auto graph = std::span(bytes).subspan(sizeof(format::Header));
    auto* blob = const_cast<fbs::Blob*>(fbs::GetModel(graph.data())->blobs()->Get(c.blob));
    auto* table = reinterpret_cast<flatbuffers::Table*>(blob);
    ASSERT_TRUE(table->SetField<uint64_t>(c.offset ? fbs::Blob::VT_OFFSET : fbs::Blob::VT_SIZE,
                                          c.value, 0));
    const Status status = OpenBytes(bytes).status();
    ASSERT_FALSE(status.ok()) << c.message;
    EXPECT_NE(status.message().find(c.message), std::string::npos) << status.message();
  }
}

TEST(ValidateTest, TrustShapes) {
  const auto bytes = TinyModel().Serialize();  // an input of 2 * 3 * 3 * 4 bytes, batch 1 of 2
  const auto opened = OpenBytes(*bytes);
  ASSERT_TRUE(opened.ok());
  const auto& model = *opened;
  const auto message = [&](const std::function<void(fbs::TrustT&)>& change) {
    fbs::TrustT t;
    t.tree = std::make_unique<fbs::HashTreeT>();
    t.tree->algorithm = fbs::HashAlgorithm::blake2b_256;
    t.tree->root.assign(32, 0);
    t.tree->leaves.assign(64, 0);  // of two pages, the second one a byte long
    t.signature = std::make_unique<fbs::SignatureRecordT>();
    t.signature->algorithm = fbs::SignatureAlgorithm::ed25519;
    t.signature->public_key.assign(32, 0);
    t.signature->signature.assign(64, 0);
    t.golden.push_back(std::make_unique<fbs::GoldenT>());
    const fbs::Subgraph& main = model->main_subgraph();
    t.golden[0]->inputs.assign(36, 0);
    t.golden[0]->output_digests.assign(32 * model->signature().outputs()->size(), 0);
    t.golden[0]->operator_digests.assign(size_t{8} * main.operators()->size(), 0);
    change(t);
    flatbuffers::FlatBufferBuilder builder;
    fbs::FinishTrustBuffer(builder, fbs::Trust::Pack(builder, &t));
    return ValidateTrust(*fbs::GetTrust(builder.GetBufferPointer()), model->graph(), 16384 + 1,
                         3 * 16384)
        .message();
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_TRUE(has(message([](auto& t) { t.tree->leaf_size = 0; }), "leaf size 0"));
  EXPECT_TRUE(has(message([](auto& t) { t.tree->leaf_size = 20000; }), "leaf size 20000"));
  EXPECT_TRUE(
      has(message([](auto& t) { t.tree->root.resize(31); }), "root has 31 bytes, 32 expected"));
  EXPECT_TRUE(
      has(message([](auto& t) { t.tree->leaves.resize(96); }), "leaves has 96 bytes, 64 expected"));
  EXPECT_TRUE(has(message([](auto& t) { t.signature->signature.clear(); }),
                  "signature has 0 bytes, 64 expected"));
  EXPECT_TRUE(has(
      message([](auto& t) { t.signature->algorithm = static_cast<fbs::SignatureAlgorithm>(7); }),
      "7 is unknown"));
  EXPECT_TRUE(has(message([](auto& t) { t.tree = nullptr; }), "covers nothing"));
  EXPECT_TRUE(has(message([](auto& t) { t.golden[0]->inputs.pop_back(); }), "has 35 bytes, 36"));
  EXPECT_TRUE(has(message([](auto& t) { t.golden[0]->output_digests.clear(); }),
                  "list of output digests has 0 bytes"));
  EXPECT_TRUE(has(message([](auto& t) { t.golden[0]->operator_digests.push_back(0); }),
                  "list of operator digests has"));
  EXPECT_TRUE(has(message([](auto& t) { t.golden[0]->name.assign(257, 'n'); }),
                  "name has 257 bytes, at most 256"));
  EXPECT_TRUE(has(message([](auto& t) {
                    for (int i = 0; i < 64; ++i)
                      t.golden.push_back(std::make_unique<fbs::GoldenT>());
                  }),
                  "65 golden samples, at most 64"));
}

// ---- files made to be slow: many tables share one long vector, so the work is far larger than the
// file ----

using Builder = flatbuffers::FlatBufferBuilder;

std::vector<std::byte> WrapGraph(const Builder& builder) {
  format::Header header{};
  std::memcpy(header.magic, format::kMagic, sizeof(format::kMagic));
  header.minor = format::kMinor;
  header.file_size = sizeof(header) + builder.GetSize();
  header.sections[0] = {static_cast<uint32_t>(format::SectionId::kGraph), 0, sizeof(header),
                        builder.GetSize()};
  header.checksum = format::HeaderChecksum(header);
  std::vector<std::byte> bytes(header.file_size);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), builder.GetBufferPointer(), builder.GetSize());
  return bytes;
}

void ExpectRefusedQuickly(const std::vector<std::byte>& bytes, const char* message) {
  // CPU time, as other tests may run beside this one. Unbounded, these files take several minutes.
  const std::clock_t begin = std::clock();
  const Status status = OpenBytes(bytes).status();
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
  EXPECT_LT(seconds, 20.0);
}

TEST(ValidateTest, SharedLabelListsAreRefused) {
  Builder b;
  const auto word = b.CreateString("x");
  const auto words =
      b.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::String>>(1'000'000, word));
  std::vector<flatbuffers::Offset<fbs::Labels>> lists;
  for (int i = 0; i < 60'000; ++i) lists.push_back(fbs::CreateLabels(b, 0, 0, words));
  const auto labels = b.CreateVector(lists);
  fbs::ModelBuilder model(b);
  model.add_labels(labels);
  fbs::FinishModelBuffer(b, model.Finish());
  ExpectRefusedQuickly(WrapGraph(b), "labels are damaged or share their strings");
}

template <typename T>
using Offsets = std::vector<flatbuffers::Offset<T>>;

// A file around one subgraph whose tensor 0 goes in and out; `more` adds to the model. `b` holds
// what they refer to.
std::vector<std::byte> Shell(Builder& b, const Offsets<fbs::Tensor>& tensors,
                             const Offsets<fbs::Operator>& operators,
                             const std::function<void(fbs::ModelBuilder&)>& more = {}) {
  const auto graph = fbs::CreateSubgraph(b, 0, b.CreateVector(tensors), b.CreateVector(operators));
  const auto subgraphs = b.CreateVector(Offsets<fbs::Subgraph>{graph});
  const auto ios = b.CreateVector(Offsets<fbs::Io>{fbs::CreateIo(b)});
  const auto signatures =
      b.CreateVector(Offsets<fbs::Signature>{fbs::CreateSignature(b, 0, 0, ios, ios)});
  fbs::ModelBuilder model(b);
  model.add_subgraphs(subgraphs);
  model.add_signatures(signatures);
  if (more) more(model);
  fbs::FinishModelBuffer(b, model.Finish());
  return WrapGraph(b);
}

flatbuffers::Offset<fbs::Tensor> OneFloat(Builder& b,
                                          flatbuffers::Offset<flatbuffers::String> name = 0) {
  return fbs::CreateTensor(b, name, fbs::DType::float32, b.CreateVector(std::vector<uint32_t>{1}));
}

// `count` operators that share one list of inputs.
std::vector<std::byte> SharedInputs(int count, size_t inputs) {
  Builder b;
  const auto shared = b.CreateVector(std::vector<int32_t>(inputs, -1));
  const auto options = fbs::CreateUnaryOptions(b);
  const auto none = b.CreateVector(std::vector<int32_t>());
  Offsets<fbs::Operator> operators;
  for (int i = 0; i < count; ++i) {
    operators.push_back(
        fbs::CreateOperator(b, 0, fbs::Options::Neg, options.Union(), shared, none));
  }
  return Shell(b, {OneFloat(b)}, operators);
}

TEST(ValidateTest, SharedInputListsAreRefused) {
  ExpectRefusedQuickly(SharedInputs(60'000, 1'000'000), "many tables share one vector");
  EXPECT_TRUE(OpenBytes(SharedInputs(1, 1'000)).ok());
}

// Readers copy strings: shared by many, they would need memory for the product.
std::vector<std::byte> SharedNames(size_t count, size_t length) {
  Builder b;
  const auto name = b.CreateString(std::string(length, 'n'));
  return Shell(b, Offsets<fbs::Tensor>(count, OneFloat(b, name)), {});
}

TEST(ValidateTest, SharedNamesAreRefused) {
  ExpectRefusedQuickly(SharedNames(10'000, 10'000'000), "share one vector or string");
  EXPECT_TRUE(OpenBytes(SharedNames(1, 1'000)).ok());
}

TEST(ValidateTest, SharedLabelsAreRefused) {
  Builder b;
  const auto text = b.CreateString(std::string(1'000'000, 'l'));
  const auto words = b.CreateVector(Offsets<flatbuffers::String>(1'000, text));
  const auto lists = b.CreateVector(Offsets<fbs::Labels>{fbs::CreateLabels(b, 0, 0, words)});
  ExpectRefusedQuickly(
      Shell(b, {OneFloat(b)}, {}, [&](fbs::ModelBuilder& m) { m.add_labels(lists); }),
      "share one vector or string");
}

TEST(ValidateTest, SharedProvenanceIsRefused) {
  Builder b;
  const auto text = b.CreateString(std::string(1'000'000, 'p'));
  const auto pairs =
      b.CreateVector(Offsets<fbs::KeyValue>(1'000, fbs::CreateKeyValue(b, text, text)));
  ExpectRefusedQuickly(
      Shell(b, {OneFloat(b)}, {}, [&](fbs::ModelBuilder& m) { m.add_provenance(pairs); }),
      "share one vector or string");
}

}  // namespace
}  // namespace whit
