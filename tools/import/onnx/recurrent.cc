// LSTM, GRU and RNN, unrolled over the sequence.
#include <algorithm>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

constexpr int64_t kMaxSteps = 1024;  // the builder's own bound

// What the three layers share. Sequence x is [T,N,inputs].
struct Layer {
  Value x;
  int64_t steps = 0, batch = 0, hidden = 0, gates = 0;
  int directions = 1;
  bool backward = false;  // the only direction is the reverse one
  bool batch_first = false;
};

bool DefaultActivations(Op& op, const std::vector<std::string>& defaults, int directions) {
  const AttributeProto* a = op.Find("activations");
  if (a == nullptr || a->strings.empty()) return true;
  if (a->strings.size() != defaults.size() * static_cast<size_t>(directions)) return false;
  for (size_t i = 0; i < a->strings.size(); ++i) {
    std::string name(a->strings[i]);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (name != defaults[i % defaults.size()]) return false;
  }
  return true;
}

std::optional<Layer> ReadLayer(Op& op, int64_t gates) {
  GraphBuilder& g = op.g;
  const auto fail = [&](const std::string& what, bool unsupported) {
    unsupported ? op.Unsupported(what) : op.Invalid(what);
    return std::nullopt;
  };
  if (op.Has("clip")) return fail("clip", true);
  Layer l;
  l.gates = gates;
  l.batch_first = op.Int("layout", 0) != 0;
  const std::string direction = op.Text("direction", "forward");
  l.directions = direction == "bidirectional" ? 2 : 1;
  l.backward = direction == "reverse";
  const Ints x = op.Dims(0), w = op.Dims(1), r = op.Dims(2);
  const bool fits = x.size() == 3 && w.size() == 3 && r.size() == 3 && w[0] == l.directions &&
                    r[0] == l.directions && r[1] == gates * r[2] && w[1] == r[1] && w[2] == x[2] &&
                    r[2] >= 1;
  if (!fits) return fail("the shapes of input, W and R do not fit", false);
  l.x = l.batch_first ? op.As(0, {1, 0, 2}) : op.Plain(0);
  l.steps = x[l.batch_first ? 1 : 0], l.batch = x[l.batch_first ? 0 : 1], l.hidden = r[2];
  if (l.steps < 1 || l.steps > kMaxSteps)
    return fail(
        "a sequence of " + std::to_string(l.steps) + " steps, at most " + std::to_string(kMaxSteps),
        true);
  if (op.has(4)) {
    const auto lengths = op.ConstInts(4);
    if (!lengths) return fail("lengths that are computed at run time", true);
    for (int64_t n : *lengths) {
      if (n != l.steps) return fail("sequences shorter than the input", true);
    }
  }
  if (!g.constant(op.Plain(1)) || !g.constant(op.Plain(2)))
    return fail("weights that are computed at run time", true);
  return l;
}

// Part d of axis 0, without that axis.
Value Direction(Op& op, size_t i, int d) {
  if (!op.has(i)) return Value();
  const Value part = op.g.SliceAxis(op.Plain(i), 0, d, d + 1);
  Ints dims = op.Dims(i);
  dims.erase(dims.begin());
  return op.g.Reshape(part, std::move(dims));
}

// State before the first step, [N,hidden]. With layout 1 it is [N,directions,hidden].
Value StartOf(Op& op, const Layer& l, size_t i, int d) {
  if (!op.has(i)) return Value();
  const Value state = l.batch_first ? op.As(i, {1, 0, 2}) : op.Plain(i);
  return op.g.Reshape(op.g.SliceAxis(state, 0, d, d + 1), Ints{l.batch, l.hidden});
}

// Rows of gates, in another order: gate k of the result is gate from[k].
Value Gates(GraphBuilder& g, Value rows, const Layer& l, const std::vector<size_t>& from) {
  if (!rows.present()) return rows;
  const Ints sizes(static_cast<size_t>(l.gates), l.hidden);
  const std::vector<Value> parts = g.Split(rows, 0, sizes);
  std::vector<Value> turned;
  for (size_t k : from) turned.push_back(parts[k]);
  return g.Concat(turned, 0);
}

RecurrentArgs Arguments(Op& op, const Layer& l, int d, const std::vector<size_t>& from) {
  GraphBuilder& g = op.g;
  RecurrentArgs args;
  args.input_weights = Gates(g, Direction(op, 1, d), l, from);
  args.recurrent_weights = Gates(g, Direction(op, 2, d), l, from);
  if (op.has(3)) {
    const Value both = Direction(op, 3, d);
    const int64_t n = l.gates * l.hidden;
    args.input_bias = Gates(g, g.SliceAxis(both, 0, 0, n), l, from);
    args.recurrent_bias = Gates(g, g.SliceAxis(both, 0, n, 2 * n), l, from);
  }
  args.hidden = StartOf(op, l, 5, d);
  args.reverse = l.backward || d == 1;
  return args;
}

// Y [T,directions,N,hidden], and the states [directions,N,hidden].
void SetResults(Op& op, const Layer& l, const std::vector<RecurrentResult>& results) {
  GraphBuilder& g = op.g;
  std::vector<Value> sequences, hidden, cell;
  for (const RecurrentResult& r : results) {
    sequences.push_back(g.Reshape(r.sequence, Ints{l.steps, 1, l.batch, l.hidden}));
    hidden.push_back(g.Reshape(r.hidden, Ints{1, l.batch, l.hidden}));
    if (r.cell.present()) cell.push_back(g.Reshape(r.cell, Ints{1, l.batch, l.hidden}));
  }
  // With layout 1: [N,T,directions,hidden] and [N,directions,hidden].
  const Order y = l.batch_first ? Order{1, 2, 0, 3} : Order(),
              h = l.batch_first ? Order{1, 0, 2} : Order();
  op.Set(0, g.Concat(sequences, 1), y);
  op.Set(1, g.Concat(hidden, 0), h);
  if (!cell.empty()) op.Set(2, g.Concat(cell, 0), h);
}

void Lstm(Op& op) {
  const auto l = ReadLayer(op, 4);
  if (!l) return;
  if (op.has(7)) {
    const auto peepholes = op.ConstFloats(7);
    if (!peepholes ||
        std::any_of(peepholes->begin(), peepholes->end(), [](float p) { return p != 0; }))
      return op.Unsupported("peepholes");
  }
  if (op.Int("input_forget", 0) != 0) return op.Unsupported("input_forget");
  if (!DefaultActivations(op, {"sigmoid", "tanh", "tanh"}, l->directions))
    return op.Unsupported("activations other than sigmoid, tanh, tanh");
  std::vector<RecurrentResult> results;
  for (int d = 0; d < l->directions; ++d) {
    RecurrentArgs args = Arguments(op, *l, d, {0, 2, 3, 1});  // ONNX: i, o, f, c
    args.cell = StartOf(op, *l, 6, d);
    results.push_back(op.g.Lstm(l->x, args));
  }
  SetResults(op, *l, results);
}

void Gru(Op& op) {
  const auto l = ReadLayer(op, 3);
  if (!l) return;
  if (!DefaultActivations(op, {"sigmoid", "tanh"}, l->directions))
    return op.Unsupported("activations other than sigmoid, tanh");
  std::vector<RecurrentResult> results;
  for (int d = 0; d < l->directions; ++d) {
    RecurrentArgs args = Arguments(op, *l, d, {1, 0, 2});  // ONNX: z, r, h
    args.reset_after = op.Int("linear_before_reset", 0) != 0;
    RecurrentResult result = op.g.Gru(l->x, args);
    result.cell = Value();
    results.push_back(result);
  }
  SetResults(op, *l, results);
}

// h = activation(x W' + h R' + biases), step by step.
RecurrentResult Simple(Op& op, const Layer& l, const RecurrentArgs& args, bool relu) {
  GraphBuilder& g = op.g;
  const Value products = g.Linear(l.x, args.input_weights, args.input_bias);
  const std::vector<Value> parts = g.Split(products, 0, Ints(static_cast<size_t>(l.steps), 1));
  RecurrentResult result;
  result.hidden = args.hidden;
  if (!result.hidden.present()) {
    const std::vector<float> zeros(static_cast<size_t>(l.batch * l.hidden), 0.0f);
    result.hidden = g.Floats(Shape{l.batch, l.hidden}, zeros);
  }
  std::vector<Value> sequence(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t t = args.reverse ? parts.size() - 1 - i : i;
    const Value of_h = g.Linear(result.hidden, args.recurrent_weights, args.recurrent_bias);
    const Value sum = g.Add(of_h, g.Reshape(parts[t], Ints{l.batch, l.hidden}));
    result.hidden = relu ? g.Relu(sum) : g.Tanh(sum);
    sequence[t] = g.Reshape(result.hidden, Ints{1, l.batch, l.hidden});
  }
  result.sequence = g.Concat(sequence, 0);
  return result;
}

void Rnn(Op& op) {
  const auto l = ReadLayer(op, 1);
  if (!l) return;
  const bool relu = DefaultActivations(op, {"relu"}, l->directions) && op.Has("activations");
  if (!relu && !DefaultActivations(op, {"tanh"}, l->directions))
    return op.Unsupported("activations other than tanh or relu");
  std::vector<RecurrentResult> results;
  for (int d = 0; d < l->directions; ++d)
    results.push_back(Simple(op, *l, Arguments(op, *l, d, {0}), relu));
  SetResults(op, *l, results);
}

}  // namespace

std::span<const Row> RecurrentRows() {
  static constexpr Row kRows[] = {
      {"LSTM", Lstm, 3, 7},
      {"GRU", Gru, 3, 7},
      {"RNN", Rnn, 3, 7},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
