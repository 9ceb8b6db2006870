#include "tools/quantize/quantizer.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "kernels/pack.h"
#include "tools/import/finish.h"
#include "tools/import/fuse.h"
#include "tools/import/load_graph.h"
#include "tools/import/product.h"
#include "tools/import/tables.h"
#include "tools/import/unpacking.h"
#include "tools/quantize/weights.h"

namespace whit::tools {

namespace {

// Functions whose results have a range that is known: a finer one would not be more exact.
bool FixedCodes(OpType type, Affine* codes) {
  switch (type) {
    case OpType::kLogistic:
    case OpType::kSoftmax:
      *codes = {1.0f / 256, -128};
      return true;
    case OpType::kTanh:
      *codes = {1.0f / 128, 0};
      return true;
    default:
      return false;
  }
}

template <typename Options>
int WeightsIndex(GraphNode& node) {
  return NodeOptions<Options>(node)->weights;
}

int WeightsOf(GraphNode& node) {
  return node.type == OpType::kFullyConnected ? WeightsIndex<fbs::FullyConnectedOptionsT>(node)
                                              : WeightsIndex<fbs::ConvOptionsT>(node);
}

int BiasOf(GraphNode& node) {
  return node.type == OpType::kFullyConnected ? NodeOptions<fbs::FullyConnectedOptionsT>(node)->bias
                                              : NodeOptions<fbs::ConvOptionsT>(node)->bias;
}

Bytes BytesOf(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

bool IsDepthwise(const fbs::Weights& w) {
  return w.layout() == fbs::Layout::dw16_f32 || w.layout() == fbs::Layout::dw16_i8;
}

bool IsFloat(const fbs::Weights& w) {
  return w.layout() == fbs::Layout::panel16_f32 || w.layout() == fbs::Layout::dw16_f32;
}

// The numbers that stored weights stand for. The channels are the first axis of their order
// [n][K], or the last of [taps][n].
std::vector<float> RealWeights(const std::vector<std::byte>& stored, const LogicalWeights& form) {
  std::vector<float> real(stored.size() / DTypeSize(form.type));
  if (form.type == DType::kFloat32) {
    std::memcpy(real.data(), stored.data(), stored.size());
    return real;
  }
  const size_t n = form.scale.size(), k = real.size() / std::max<size_t>(n, 1);
  const bool outer = form.channel_axis == 0;
  for (size_t i = 0; i < real.size(); ++i) {
    const float scale = form.scale[n == 1 ? 0 : outer ? i / k : i % n];
    real[i] = scale * static_cast<float>(static_cast<int8_t>(stored[i]) - form.zero_point);
  }
  return real;
}

bool AllFinite(std::span<const std::byte> floats) {
  for (size_t at = 0; at + sizeof(float) <= floats.size(); at += sizeof(float)) {
    float v = 0;
    std::memcpy(&v, floats.data() + at, sizeof v);
    if (!std::isfinite(v)) return false;
  }
  return true;
}

// "its result is not float (12), no integer form (1)".
std::string Reasons(std::span<const LayerReport> layers) {
  std::map<std::string, size_t> counts;
  for (const LayerReport& l : layers) ++counts[l.why_float];
  std::string all;
  for (const auto& [why, count] : counts)
    all += (all.empty() ? "" : ", ") + why + " (" + std::to_string(count) + ")";
  return all;
}

}  // namespace

bool KeptBy(const std::string& pattern, const std::string& node) {
  return fnmatch(pattern.c_str(), node.c_str(), 0) == 0;
}

const TensorStats* Quantizer::StatsOf(int t) const {
  const auto found = calibration_.find(tensor(t).name);
  return found == calibration_.end() ? nullptr : &found->second;
}

int Quantizer::Root(int t) {
  while (group_[static_cast<size_t>(t)] != t) t = group_[static_cast<size_t>(t)];
  return t;
}

// ---- decisions ----

bool Quantizer::ComesAsCodes(int t) const {
  return t >= 0 && !tensor(t).is_const() && as_codes_[static_cast<size_t>(t)];
}

// Empty: the node becomes integer.
std::string Quantizer::WhyFloat(const GraphNode& node, NodeKind kind) const {
  if (kind == NodeKind::kFloat) return "no integer form";
  for (const std::string& pattern : options_.keep) {
    if (KeptBy(pattern, node.name)) return "kept, as asked";
  }
  for (int t : node.outputs) {
    if (t < 0 || !tensor(t).is_float() || tensor(t).variable >= 0) return "its result is not float";
    if (StatsOf(t) == nullptr) return "its result was not seen";
  }
  bool any_codes = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const int t = node.inputs[i];
    if (t < 0) continue;
    const GraphTensor& in = tensor(t);
    if (in.variable >= 0) return "it reads a variable";
    if (!in.is_float() && (kind != NodeKind::kTied || i == 0)) return "its operands are not float";
    any_codes = any_codes || (in.is_float() && ComesAsCodes(t));
    if (in.is_float() && !in.is_const() && !ComesAsCodes(t) && StatsOf(t) == nullptr)
      return "an operand was not seen";
  }
  // A product pays for the conversion before it, nothing else does.
  if (kind != NodeKind::kProduct && !any_codes) return "its operands are float";
  return "";
}

std::string Quantizer::WhyFloatProduct(GraphNode& node) const {
  const fbs::Weights& w = *file_.graph().weights()->Get(static_cast<unsigned>(WeightsOf(node)));
  const int64_t k = static_cast<int64_t>(w.runs()) * w.run_length();
  if (!AccumulatorFits(k, kMostBias, /*has_zero_point=*/false))
    return "sums of " + std::to_string(k) + " products may not fit 32 bits";
  const int bias = BiasOf(node);
  if ((IsFloat(w) && !AllFinite(file_.blob(static_cast<size_t>(w.data())))) ||
      (bias >= 0 && !AllFinite(file_.blob(static_cast<size_t>(bias))))) {
    return "a weight or a bias is infinite or no number";
  }
  return "";
}

Status Quantizer::Decide(std::vector<LayerReport>* layers) {
  as_codes_.assign(state_.graph.tensors.size(), false);
  for (const GraphIo& io : state_.graph.inputs)
    as_codes_[static_cast<size_t>(io.tensor)] = tensor(io.tensor).is_float();
  bool any = false;
  for (GraphNode& node : nodes_) {
    LayerReport layer;
    layer.node = node.name, layer.op = RowOf(node.type).name;
    const NodeKind kind = KindOf(node.type);
    layer.why_float = WhyFloat(node, kind);
    if (layer.why_float.empty() && kind == NodeKind::kProduct)
      layer.why_float = WhyFloatProduct(node);
    // A class for each of 256 steps of 1/256 would be many ties.
    const bool last = std::any_of(
        state_.graph.outputs.begin(), state_.graph.outputs.end(),
        [&](const GraphIo& io) { return !node.outputs.empty() && io.tensor == node.outputs[0]; });
    if (layer.why_float.empty() && last && !options_.integer_io &&
        (node.type == OpType::kSoftmax || node.type == OpType::kLogSoftmax)) {
      layer.why_float = "probabilities at the end, of int8 scores";
    }
    layer.integer = layer.why_float.empty();
    any = any || layer.integer;
    integer_.push_back(layer.integer);
    for (int t : node.outputs) {
      if (t >= 0) as_codes_[static_cast<size_t>(t)] = layer.integer;
    }
    layers->push_back(std::move(layer));
  }
  if (any) return OkStatus();
  return Status(StatusCode::kUnsupported,
                "no operator of the model can be quantized: " + Reasons(*layers));
}

// Tensors that must share a scale.
void Quantizer::Group() {
  group_.resize(state_.graph.tensors.size());
  std::iota(group_.begin(), group_.end(), 0);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!integer_[n] || KindOf(nodes_[n].type) != NodeKind::kTied) continue;
    const int first = Root(nodes_[n].outputs[0]);
    const auto join = [&](int t) {
      if (t >= 0 && tensor(t).is_float() && !tensor(t).is_const())
        group_[static_cast<size_t>(Root(t))] = first;
    };
    for (int t : nodes_[n].inputs) join(t);
    for (int t : nodes_[n].outputs) join(t);
  }
}

void Quantizer::SetGroupCodes() {
  std::vector<Range> ranges(group_.size());
  for (size_t t = 0; t < group_.size(); ++t) {
    const TensorStats* stats = StatsOf(static_cast<int>(t));
    if (stats == nullptr || tensor(static_cast<int>(t)).is_const()) continue;
    const Range r = ChooseRange(stats->histogram, options_.range);
    Range& whole = ranges[static_cast<size_t>(Root(static_cast<int>(t)))];
    whole = {std::min(whole.lo, r.lo), std::max(whole.hi, r.hi)};
  }
  codes_of_root_.resize(group_.size());
  for (size_t t = 0; t < group_.size(); ++t) codes_of_root_[t] = AffineOf(ranges[t]);
  // Where a function has codes of its own, its whole group takes them if nothing in it goes beyond.
  for (const GraphNode& node : nodes_) {
    Affine fixed;
    if (node.outputs.empty() || node.outputs[0] < 0 || !FixedCodes(node.type, &fixed)) continue;
    const auto root = static_cast<size_t>(Root(node.outputs[0]));
    const double s = static_cast<double>(fixed.scale);
    const double lo = s * (-128 - fixed.zero_point), hi = s * (128 - fixed.zero_point);
    if (ranges[root].lo >= lo && ranges[root].hi <= hi) codes_of_root_[root] = fixed;
  }
}

// ---- the new graph ----

Result<int> Quantizer::NewCodes(int t) {
  const Affine a = AffineOfTensor(t);
  GraphTensor codes = tensor(t);
  codes.type = DType::kInt8;
  codes.scale = {a.scale}, codes.zero_point = {a.zero_point}, codes.axis = -1;
  state_.producer.push_back(-1);
  const int index = state_.graph.AddTensor(std::move(codes));
  codes_[static_cast<size_t>(t)] = index;
  return index;
}

Result<int> Quantizer::Codes(int t) {
  const int known = codes_[static_cast<size_t>(t)];
  if (known >= 0) return known;
  WHIT_ASSIGN_OR_RETURN(const int real, Real(t));
  WHIT_ASSIGN_OR_RETURN(const int codes, NewCodes(t));
  Scope l(state_, "quantizing '" + Shown(tensor(t).name) + "'", tensor(t).name + "/quantize", 0);
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kQuantize, fbs::QuantizeOptionsT(), {real}, {codes}));
  return codes;
}

Result<int> Quantizer::Real(int t) {
  if (real_[static_cast<size_t>(t)] || tensor(t).is_const()) return t;
  const int codes = codes_[static_cast<size_t>(t)];
  Scope l(state_, "dequantizing '" + Shown(tensor(t).name) + "'", tensor(t).name + "/dequantize",
          0);
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kDequantize, fbs::QuantizeOptionsT(), {codes}, {t}));
  tensor(t).name += "/float";  // the codes have the name
  real_[static_cast<size_t>(t)] = true;
  return t;
}

// A float constant as codes.
Result<int> Quantizer::Constant(Scope& l, int t, const Affine& a) {
  const auto values = tensor(t).values<float>();
  Bytes bytes(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    bytes[i] = static_cast<std::byte>(CodeOf(static_cast<double>(values[i]), a));
  GraphTensor codes = tensor(t);
  codes.type = DType::kInt8;
  codes.scale = {a.scale}, codes.zero_point = {a.zero_point}, codes.axis = -1;
  return l.Constant(std::move(codes), std::move(bytes));
}

Status Quantizer::Keep(GraphNode node) {
  for (int& t : node.inputs) {
    if (t < 0 || tensor(t).is_const() || tensor(t).variable >= 0) continue;
    WHIT_ASSIGN_OR_RETURN(t, Real(t));
  }
  for (int t : node.outputs) {
    if (t < 0) continue;
    real_[static_cast<size_t>(t)] = true;
    state_.producer[static_cast<size_t>(t)] = static_cast<int>(state_.graph.nodes.size());
  }
  state_.graph.nodes.push_back(std::move(node));
  return OkStatus();
}

Status Quantizer::EmitProductOf(Scope& l, GraphNode& node, int x, int out) {
  const int w = WeightsOf(node);
  const fbs::Weights& record = *file_.graph().weights()->Get(static_cast<unsigned>(w));
  WHIT_ASSIGN_OR_RETURN(const LogicalWeights form, LogicalFormOf(record));
  const std::vector<float> values = RealWeights(UnpackWeights(file_, record), form);
  ProductWeights weights;
  weights.values = values;
  weights.scale = form.scale;
  weights.n = record.n(), weights.groups = record.groups();
  weights.k = static_cast<int64_t>(values.size()) / weights.n;
  weights.depthwise = IsDepthwise(record);
  weights.in_channels = tensor(x).shape.back();
  const bool dense = node.type == OpType::kFullyConnected;
  const int bias_blob = BiasOf(node);
  std::span<const float> bias;
  if (bias_blob >= 0) {
    const auto bytes = file_.blob(static_cast<size_t>(bias_blob));
    bias = {reinterpret_cast<const float*>(bytes.data()), static_cast<size_t>(weights.n)};
  }
  std::vector<double> means;
  const TensorStats* stats = StatsOf(node.inputs[0]);
  if (options_.bias_correction && stats != nullptr && stats->rows > 0 &&
      stats->channel_sums.size() == static_cast<size_t>(weights.in_channels)) {
    for (double sum : stats->channel_sums) means.push_back(sum / static_cast<double>(stats->rows));
  }
  WeightCodes codes = QuantizeWeights(weights, bias, tensor(x).s(), means);

  GraphTensor wt;
  wt.name = state_.graph.weights[static_cast<size_t>(w)].name;
  wt.type = DType::kInt8;
  wt.shape = Shape::OfRank(static_cast<int>(form.shape.size()));
  for (size_t i = 0; i < form.shape.size(); ++i) wt.shape[static_cast<int>(i)] = form.shape[i];
  wt.scale = codes.scale;
  wt.zero_point.assign(codes.scale.size(), 0);
  wt.axis = codes.scale.size() > 1 ? form.channel_axis : -1;
  GraphTensor bt;
  bt.name = node.name + "/bias";
  bt.type = DType::kInt32;
  bt.shape = Shape{weights.n};
  PendingProduct p;
  p.x = x;
  p.weights = l.Constant(std::move(wt), BytesOf(std::as_bytes(std::span(codes.codes))));
  p.bias = l.Constant(std::move(bt), BytesOf(std::as_bytes(std::span(codes.bias))));
  p.depthwise = weights.depthwise;
  p.n = record.n(), p.groups = record.groups(), p.runs = record.runs();
  p.run_length = record.run_length();
  p.shape = form.shape;
  p.fold = node.type != OpType::kTransposeConv2D;
  const auto emit = [&](auto options) {
    const Clamp clamp = StoredClamp(tensor(out), options.lo, options.hi);
    options.lo = clamp.lo, options.hi = clamp.hi;
    return EmitProduct(l, node.type, std::move(options), std::move(p), x, out);
  };
  return dense ? emit(*NodeOptions<fbs::FullyConnectedOptionsT>(node))
               : emit(*NodeOptions<fbs::ConvOptionsT>(node));
}

// The options of these say values of their result.
Status Quantizer::EmitTied(Scope& l, GraphNode& node, std::vector<int> in, std::vector<int> out) {
  const GraphTensor& result = tensor(out[0]);
  if (node.type == OpType::kPad) {
    auto& o = *NodeOptions<fbs::PadOptionsT>(node);
    o.value_i64 = CodeOf(o.value, {result.s(), result.z()});
    o.value = 0;
  } else if (node.type == OpType::kAveragePool2D || node.type == OpType::kMaxPool2D) {
    auto& o = *NodeOptions<fbs::PoolOptionsT>(node);
    const Clamp clamp = StoredClamp(result, o.lo, o.hi);
    o.lo = clamp.lo, o.hi = clamp.hi;
  }
  node.inputs = std::move(in), node.outputs = std::move(out);
  return l.EmitNode(std::move(node));
}

Status Quantizer::EmitInteger(GraphNode node, NodeKind kind) {
  Scope l(state_, "node '" + Shown(node.name) + "' (" + RowOf(node.type).name + ")", node.name,
          node.source);
  std::vector<int> in, out;
  for (int t : node.inputs) {
    if (t < 0 || !tensor(t).is_float()) {
      in.push_back(t);
      continue;
    }
    if (!tensor(t).is_const()) {
      WHIT_ASSIGN_OR_RETURN(const int codes, Codes(t));
      in.push_back(codes);
      continue;
    }
    Affine a = AffineOfTensor(node.outputs[0]);
    if (kind != NodeKind::kTied) {
      Histogram h;
      h.Add(tensor(t).values<float>());
      a = AffineOf(ChooseRange(h, {RangeRule::Kind::kMinMax}));
    }
    WHIT_ASSIGN_OR_RETURN(const int codes, Constant(l, t, a));
    in.push_back(codes);
  }
  for (int t : node.outputs) {
    WHIT_ASSIGN_OR_RETURN(const int codes, NewCodes(t));
    out.push_back(codes);
  }
  switch (kind) {
    case NodeKind::kProduct:
      return EmitProductOf(l, node, in[0], out[0]);
    case NodeKind::kTable:
      return EmitTable(l, node.type, *NodeOptions<fbs::UnaryOptionsT>(node), in[0], out[0]);
    case NodeKind::kTied:
      return EmitTied(l, node, std::move(in), std::move(out));
    default:
      break;
  }
  if (node.type == OpType::kSoftmax || node.type == OpType::kLogSoftmax) {
    auto& o = *NodeOptions<fbs::SoftmaxOptionsT>(node);
    WHIT_ASSIGN_OR_RETURN(
        o.table, SoftmaxTables(l, tensor(in[0]), node.type == OpType::kLogSoftmax, o.beta));
  } else if (node.type != OpType::kMean) {
    auto& o = *NodeOptions<fbs::BinaryOptionsT>(node);
    const Clamp clamp = StoredClamp(tensor(out[0]), o.lo, o.hi);
    o.lo = clamp.lo, o.hi = clamp.hi;
  }
  node.inputs = std::move(in), node.outputs = std::move(out);
  return l.EmitNode(std::move(node));
}

Status Quantizer::Rewrite() {
  codes_.assign(state_.graph.tensors.size(), -1);
  real_.assign(state_.graph.tensors.size(), false);
  for (const GraphIo& io : state_.graph.inputs) {
    if (!options_.integer_io || !as_codes_[static_cast<size_t>(io.tensor)]) {
      real_[static_cast<size_t>(io.tensor)] = true;
      continue;
    }
    WHIT_RETURN_IF_ERROR(NewCodes(io.tensor).status());
  }
  for (size_t n = 0; n < nodes_.size(); ++n) {
    GraphNode node = std::move(nodes_[n]);
    const NodeKind kind = KindOf(node.type);
    WHIT_RETURN_IF_ERROR(integer_[n] ? EmitInteger(std::move(node), kind) : Keep(std::move(node)));
  }
  return SetEnds();
}

Status Quantizer::SetEnds() {
  for (GraphIo& io : state_.graph.inputs) {
    const int codes = codes_[static_cast<size_t>(io.tensor)];
    if (options_.integer_io && codes >= 0) io.tensor = codes;
  }
  for (GraphIo& io : state_.graph.outputs) {
    const int codes = codes_[static_cast<size_t>(io.tensor)];
    if (options_.integer_io && codes >= 0) {
      io.tensor = codes;
    } else if (!tensor(io.tensor).is_const()) {
      WHIT_ASSIGN_OR_RETURN(io.tensor, Real(io.tensor));
    }
  }
  return OkStatus();
}

// In the file: how it came about.
void Quantizer::Describe() {
  static constexpr const char* kRules[] = {"minmax", "percentile", "mse"};
  auto& p = state_.graph.provenance;
  p.emplace_back("quantize.tool", "whit quantize " WHIT_VERSION);
  p.emplace_back("quantize.range", kRules[static_cast<size_t>(options_.range.kind)]);
  if (options_.range.kind == RangeRule::Kind::kPercentile) {
    char percentile[32];
    std::snprintf(percentile, sizeof percentile, "%g", options_.range.percentile);
    p.emplace_back("quantize.percentile", percentile);
  }
  std::string kept;
  for (const std::string& pattern : options_.keep) kept += (kept.empty() ? "" : " ") + pattern;
  if (!kept.empty()) p.emplace_back("quantize.keep", kept);
  p.emplace_back("quantize.samples", std::to_string(samples_));
  p.emplace_back("quantize.bias_correction", options_.bias_correction ? "on" : "off");
}

Result<std::vector<std::byte>> Quantizer::Run(std::vector<LayerReport>* layers) {
  WHIT_ASSIGN_OR_RETURN(state_.graph, LoadGraph(file_));
  SetBudgets(state_, std::max<uint64_t>(file_.file_bytes(), 1 << 20));
  state_.producer.assign(state_.graph.tensors.size(), -1);
  nodes_ = std::move(state_.graph.nodes);
  state_.graph.nodes.clear();
  WHIT_RETURN_IF_ERROR(Decide(layers));
  Group();
  SetGroupCodes();
  WHIT_RETURN_IF_ERROR(Rewrite());
  Describe();
  Refusals refusals;
  WHIT_RETURN_IF_ERROR(FuseGraph(state_, &refusals));
  return FinishGraph(state_, std::move(refusals));
}

}  // namespace whit::tools
