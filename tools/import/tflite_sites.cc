#include "tools/import/tflite_sites.h"

#include <set>

namespace whit::tools {

namespace {

BuiltinOperator CodeOf(const TfliteState& state, const tflite::Operator& op) {
  return tools::CodeOf(*state.model->operator_codes()->Get(op.opcode_index()));
}

// Input or output i of an operator, -1: it has none.
int Operand(const flatbuffers::Vector<int32_t>* list, uint32_t i) {
  return list == nullptr || i >= list->size() ? -1 : list->Get(i);
}

class Sites {
 public:
  explicit Sites(const TfliteState& state) : state_(state), maker_(state.graph.tensors.size()) {
    if (state.main->operators() == nullptr) return;
    for (const tflite::Operator* op : *state.main->operators()) {
      Add(*op);
      const int out = Operand(op->outputs(), 0);
      if (out >= 0) maker_[static_cast<size_t>(out)] = op;
    }
  }

  std::vector<GraftSite> sites;

 private:
  const GraphTensor& tensor(int i) const { return state_.graph.tensors[static_cast<size_t>(i)]; }

  void Add(const tflite::Operator& op) {
    const BuiltinOperator code = CodeOf(state_, op);
    if (code == BuiltinOperator::ADD) return AddAffine(op);
    const bool dense = code == BuiltinOperator::FULLY_CONNECTED;
    const bool depthwise = code == BuiltinOperator::DEPTHWISE_CONV_2D;
    if (!dense && !depthwise && code != BuiltinOperator::CONV_2D) return;
    GraftSite site{Operand(op.inputs(), 1), Operand(op.inputs(), 2),
                   depthwise ? SiteKind::kDepthwise : SiteKind::kProduct};
    if (site.weights < 0) return;
    const GraphTensor& w = tensor(site.weights);
    const int rank = dense ? 2 : 4;
    const bool fits = w.is_const() && w.is_float() && w.shape.rank() == rank &&
                      w.shape.elements() > 0 && (!depthwise || w.shape[0] == 1);
    if (!fits || !seen_.insert(site.weights).second) return;
    if (site.bias >= 0) {
      const GraphTensor& b = tensor(site.bias);
      const int64_t outputs = w.shape[depthwise ? 3 : 0];
      if (!b.is_const() || !b.is_float() || b.shape.elements() != outputs) return;
    }
    if (dense) site.flattened = Flattened(Operand(op.inputs(), 0));
    sites.push_back(site);
  }

  // A constant of one a channel of tensor x, and the place it has in `op`: 0 or 1; -1: none.
  int PlaceOfChannels(const tflite::Operator& op) const {
    for (uint32_t place : {1u, 0u}) {
      const int c = Operand(op.inputs(), place), x = Operand(op.inputs(), 1 - place);
      if (c < 0 || x < 0 || !tensor(c).is_const() || !tensor(c).is_float()) continue;
      const Shape &channels = tensor(c).shape, &of = tensor(x).shape;
      if (channels.rank() == 0 || of.rank() == 0) continue;
      const int64_t count = channels[channels.rank() - 1];
      if (count == channels.elements() && count == of[of.rank() - 1])
        return static_cast<int>(place);
    }
    return -1;
  }

  // ADD of what a MUL has made.
  void AddAffine(const tflite::Operator& add) {
    const int place = PlaceOfChannels(add);
    if (place < 0) return;
    const int product = Operand(add.inputs(), static_cast<uint32_t>(1 - place));
    const tflite::Operator* mul = maker_[static_cast<size_t>(product)];
    if (mul == nullptr || CodeOf(state_, *mul) != BuiltinOperator::MUL) return;
    const int factor = PlaceOfChannels(*mul);
    if (factor < 0) return;
    const GraftSite site{Operand(mul->inputs(), static_cast<uint32_t>(factor)),
                         Operand(add.inputs(), static_cast<uint32_t>(place)), SiteKind::kAffine};
    if (seen_.insert(site.weights).second) sites.push_back(site);
  }

  // What tensor x was before it was made flat. Where a TRANSPOSE comes before, the converter has
  // seen to the order itself.
  std::array<int64_t, 3> Flattened(int x) const {
    const tflite::Operator* maker = x < 0 ? nullptr : maker_[static_cast<size_t>(x)];
    if (maker == nullptr || CodeOf(state_, *maker) != BuiltinOperator::RESHAPE) return {0, 0, 0};
    const int before = Operand(maker->inputs(), 0);
    if (before < 0 || tensor(before).shape.rank() != 4) return {0, 0, 0};
    const tflite::Operator* turned = maker_[static_cast<size_t>(before)];
    if (turned != nullptr && CodeOf(state_, *turned) == BuiltinOperator::TRANSPOSE)
      return {0, 0, 0};
    const Shape& shape = tensor(before).shape;
    return {shape[1], shape[2], shape[3]};
  }

  const TfliteState& state_;
  std::vector<const tflite::Operator*> maker_;
  std::set<int> seen_;
};

}  // namespace

std::vector<GraftSite> TfliteSites(const TfliteState& state) { return Sites(state).sites; }

}  // namespace whit::tools
