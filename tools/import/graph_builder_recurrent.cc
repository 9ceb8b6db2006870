// GraphBuilder: LSTM and GRU, one copy of the step for every element of the sequence. The product
// with the input is one for all steps.
#include "tools/import/graph_builder.h"

namespace whit::tools {

namespace {

constexpr int64_t kMaxSteps = 1024;  // a step is about ten operators, a file has 65536

}  // namespace

// Calls step(gates of x at t, hidden, cell) -> {hidden, cell} for every t.
template <typename Step>
RecurrentResult GraphBuilder::Unroll(Value x, const RecurrentArgs& args, int64_t gates, Step step) {
  const RecurrentResult none = {Value(Value::kFailed), Value(Value::kFailed),
                                Value(Value::kFailed)};
  if (!Ready(std::array{x, args.input_weights, args.recurrent_weights, args.input_bias,
                        args.recurrent_bias, args.hidden, args.cell})) {
    return none;
  }
  const Shape s = shape(x), r = shape(args.recurrent_weights);
  if (s.rank() != 3 || r.rank() != 2 || r[0] != gates * r[1] || s[0] < 1 || s[0] > kMaxSteps) {
    Invalid("a sequence of shape " + s.ToString() + " with recurrent weights " + r.ToString() +
            ": [steps,N,inputs] of at most " + std::to_string(kMaxSteps) + " steps and [" +
            std::to_string(gates) + "*hidden,hidden] expected");
    return none;
  }
  const int64_t steps = s[0], batch = s[1], hidden = r[1];
  const Status fits = state_.memory.Charge(static_cast<uint64_t>(batch * hidden) * sizeof(float));
  if (!fits.ok()) {
    Fail(fits);
    return none;
  }
  const auto start = [&](Value given) {
    const std::vector<float> zeros(static_cast<size_t>(batch * hidden), 0.0f);
    return given.present() ? Reshape(given, Shape{batch, hidden})
                           : Floats(Shape{batch, hidden}, zeros);
  };
  const Value products = Linear(x, args.input_weights, args.input_bias);
  const std::vector<Value> parts =
      Split(products, 0, std::vector<int64_t>(static_cast<size_t>(steps), 1));
  RecurrentResult result = {{}, start(args.hidden), start(args.cell)};
  std::vector<Value> sequence(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t t = args.reverse ? parts.size() - 1 - i : i;
    const Value of_x = Reshape(parts[t], Shape{batch, gates * hidden});
    step(of_x, &result.hidden, &result.cell);
    sequence[t] = Reshape(result.hidden, Shape{1, batch, hidden});
  }
  result.sequence = Concat(sequence, 0);
  return result;
}

RecurrentResult GraphBuilder::Lstm(Value x, const RecurrentArgs& args) {
  return Unroll(x, args, 4, [&](Value of_x, Value* hidden, Value* cell) {
    const int64_t n = shape(*hidden).rank() == 2 ? shape(*hidden)[1] : 0;
    const Value sum = Add(Linear(*hidden, args.recurrent_weights, args.recurrent_bias), of_x);
    const std::vector<Value> gate = Split(sum, 1, {n, n, n, n});
    const Value kept = Mul(Sigmoid(gate[1]), *cell);
    *cell = Add(kept, Mul(Sigmoid(gate[0]), Tanh(gate[2])));
    *hidden = Mul(Sigmoid(gate[3]), Tanh(*cell));
  });
}

RecurrentResult GraphBuilder::Gru(Value x, const RecurrentArgs& args) {
  const Value weights = args.recurrent_weights, bias = args.recurrent_bias;
  const int64_t n = shape(weights).rank() == 2 ? shape(weights)[1] : 0;
  // Without reset_after the gate n has a product of its own, of the scaled state.
  std::vector<Value> w(2), b(2);
  if (!args.reset_after) w = Split(weights, 0, {2 * n, n});
  if (!args.reset_after && bias.present()) b = Split(bias, 0, {2 * n, n});
  return Unroll(x, args, 3, [&](Value of_x, Value* hidden, Value*) {
    const std::vector<Value> in = Split(of_x, 1, {n, n, n});
    std::vector<Value> of_h;
    if (args.reset_after) {
      of_h = Split(Linear(*hidden, weights, bias), 1, {n, n, n});
    } else {
      of_h = Split(Linear(*hidden, w[0], b[0]), 1, {n, n});
    }
    const Value reset = Sigmoid(Add(in[0], of_h[0]));
    const Value update = Sigmoid(Add(in[1], of_h[1]));
    const Value recurrent =
        args.reset_after ? Mul(reset, of_h[2]) : Linear(Mul(reset, *hidden), w[1], b[1]);
    const Value fresh = Tanh(Add(in[2], recurrent));
    // (1 - update) * fresh + update * hidden
    *hidden = Add(fresh, Mul(update, Sub(*hidden, fresh)));
  });
}

}  // namespace whit::tools
