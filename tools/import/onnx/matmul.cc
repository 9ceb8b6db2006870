// Matrix products: Gemm, MatMul, and Einsum where it is one.
#include <algorithm>
#include <map>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// The rows of a constant matrix in the order in which `merged` lies, so that x can stay as it is:
// x[N,..] of `order` is read as [N,K], the matrix's axis `row_axis` counts ONNX's K.
Value RowsInOrder(GraphBuilder& g, Value matrix, int row_axis, const Ints& dims,
                  const Order& order) {
  Ints split, perm, whole = DimsOf(g, matrix);
  const int lead = row_axis;  // 0: [K,n]; 1: [n,K]
  if (lead == 1) split.push_back(whole[0]), perm.push_back(0);
  for (size_t i = 1; i < dims.size(); ++i) {
    split.push_back(dims[i]);
    perm.push_back(order[i] - 1 + lead);
  }
  if (lead == 0) split.push_back(whole[1]), perm.push_back(static_cast<int64_t>(dims.size()) - 1);
  return g.Reshape(g.Transpose(g.Reshape(matrix, std::move(split)), perm), std::move(whole));
}

// Operand 0 as [N,K] and the constant matrix that goes with it: where operand 0 was flattened from
// another order, the matrix's rows are exchanged in place of a transpose at run time.
Value FlatOperand(Op& op, Value* matrix, int row_axis) {
  GraphBuilder& g = op.g;
  const Operand& x = op.in(0);
  const bool free = x.merged != nullptr && !x.value.present() && g.constant(*matrix) &&
                    x.merged_dims.size() == 2 && g.shape(*matrix).rank() == 2 &&
                    g.shape(*matrix)[row_axis] == x.merged_dims[1];
  if (!free) return op.Plain(0);
  const Operand& source = *x.merged;
  Ints dims(source.order.size());
  for (size_t k = 0; k < dims.size(); ++k)
    dims[static_cast<size_t>(source.order[k])] = g.shape(source.value)[static_cast<int>(k)];
  *matrix = RowsInOrder(g, *matrix, row_axis, dims, source.order);
  return g.Reshape(source.value, x.merged_dims);
}

Value Scaled(GraphBuilder& g, Value x, float factor) {
  return factor == 1 || !x.present() ? x : g.Mul(x, g.Float(factor));
}

void Gemm(Op& op) {
  GraphBuilder& g = op.g;
  if (op.Rank(0) != 2 || op.Rank(1) != 2) return op.Invalid("both operands must have 2 axes");
  const bool trans_a = op.Int("transA", 0) != 0, trans_b = op.Int("transB", 0) != 0;
  const float alpha = op.Float("alpha", 1), beta = op.Float("beta", 1);
  Value b = op.Plain(1);
  const Value a = trans_a ? op.As(0, {1, 0}) : FlatOperand(op, &b, trans_b ? 1 : 0);
  Value left = trans_a ? g.Reshape(a, DimsOf(g, a)) : a;
  const int64_t n = g.shape(b)[trans_b ? 0 : 1];
  Value c = Scaled(g, op.Plain(2), beta);
  const bool as_bias = c.present() && g.constant(c) && g.shape(c).elements() == n &&
                       g.shape(c).rank() >= 1 && g.shape(c).back() == n;
  Value y;
  if (g.constant(b)) {
    const Value bias = as_bias ? g.Reshape(c, Ints{n}) : Value();
    y = g.Linear(left, Scaled(g, b, alpha), bias, {.in_out = !trans_b, .bounds = {}, .out = {}});
  } else {
    y = Scaled(g, g.MatMul(left, b, false, trans_b), alpha);
    if (as_bias) y = g.Add(y, c);
  }
  if (c.present() && !as_bias) y = g.Add(y, c);
  op.Set(0, y);
}

// An operand of a product of matrices: in ONNX's order, or with the last two axes exchanged where
// it lies so.
Value MatrixOperand(Op& op, size_t i, bool* exchanged) {
  const Order order = op.in(i).order;
  const int rank = op.Rank(i);
  if (rank >= 2 && !order.empty()) {
    Order swapped = Full({}, rank);
    std::swap(swapped[static_cast<size_t>(rank) - 1], swapped[static_cast<size_t>(rank) - 2]);
    if (order == swapped) {
      *exchanged = true;
      return op.As(i, order);
    }
  }
  *exchanged = false;
  return op.Plain(i);
}

Value Product(Op& op, bool trans_a, bool trans_b) {
  GraphBuilder& g = op.g;
  const int ra = op.Rank(0), rb = op.Rank(1);
  if (ra < 1 || rb < 1) return g.Invalid("an operand has no axis");
  bool swap_a = false, swap_b = false;
  Value b = MatrixOperand(op, 1, &swap_b), a;
  if (ra == 2 && rb == 2 && !trans_a && !swap_b) {
    a = FlatOperand(op, &b, trans_b ? 1 : 0);
  } else {
    a = MatrixOperand(op, 0, &swap_a);
  }
  if (ra == 1) a = g.Reshape(a, Ints{1, g.shape(a)[0]});
  if (rb == 1) b = g.Reshape(b, Ints{g.shape(b)[0], 1});
  Value y = g.MatMul(a, b, swap_a != trans_a, swap_b != trans_b);
  if (g.failed(y) || (ra > 1 && rb > 1)) return y;
  Ints dims = DimsOf(g, y);
  if (rb == 1) dims.pop_back();
  if (ra == 1) dims.erase(dims.end() - (rb == 1 ? 1 : 2));
  return g.Reshape(y, std::move(dims));
}

void MatMul(Op& op) { op.Set(0, Product(op, false, false)); }

void FusedMatMul(Op& op) {
  if (op.Int("transBatchA", 0) != 0 || op.Int("transBatchB", 0) != 0)
    return op.Unsupported("exchanged batches");
  const Value y = Product(op, op.Int("transA", 0) != 0, op.Int("transB", 0) != 0);
  op.Set(0, Scaled(op.g, y, op.Float("alpha", 1)));
}

// ---- Einsum ----

struct Equation {
  std::vector<std::string> terms;
  std::string out;
};

// Letters of the terms; an ellipsis becomes one control character an axis, counted from the last,
// so that those of two terms meet as broadcasting has it. Nothing where it is no equation of those
// ranks.
std::optional<Equation> ParseEquation(std::string text, const std::vector<int>& ranks) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow), right;
  Equation e;
  for (size_t at = 0; at <= left.size();) {
    const size_t end = std::min(left.find(',', at), left.size());
    e.terms.push_back(left.substr(at, end - at));
    at = end + 1;
  }
  if (e.terms.size() != ranks.size()) return std::nullopt;
  const std::string hidden = "\x01\x02\x03\x04\x05\x06\x07\x08";
  size_t widest = 0;
  for (size_t i = 0; i < e.terms.size(); ++i) {
    std::string& term = e.terms[i];
    const size_t dots = term.find("...");
    if (dots == std::string::npos) continue;
    const auto letters = static_cast<int>(term.size()) - 3;
    if (ranks[i] < letters || ranks[i] - letters > 8) return std::nullopt;
    const auto count = static_cast<size_t>(ranks[i] - letters);
    widest = std::max(widest, count);
    term.replace(dots, 3, hidden.substr(8 - count));
  }
  if (arrow != std::string::npos) {
    e.out = text.substr(arrow + 2);
    const size_t dots = e.out.find("...");
    if (dots != std::string::npos) e.out.replace(dots, 3, hidden.substr(8 - widest));
    return e;
  }
  std::map<char, int> seen;  // sorted: the implicit output has letters that occur once, in order
  for (const std::string& term : e.terms) {
    for (char c : term) ++seen[c];
  }
  for (const auto& [c, count] : seen) {
    if (count == 1 || c < ' ') e.out += c;
  }
  return e;
}

bool Contains(const std::string& text, char c) { return text.find(c) != std::string::npos; }

// Transposes a term to `to`, whose letters are a permutation of `from`'s.
Value Turned(GraphBuilder& g, Value x, const std::string& from, const std::string& to) {
  Ints perm;
  for (char c : to) perm.push_back(static_cast<int64_t>(from.find(c)));
  return g.Transpose(x, perm);
}

// Sums the letters that nobody else has.
Value SummedOut(GraphBuilder& g, Value x, std::string* term, const std::string& others) {
  Ints axes;
  std::string rest;
  for (size_t i = 0; i < term->size(); ++i) {
    if (Contains(others, (*term)[i])) {
      rest += (*term)[i];
    } else {
      axes.push_back(static_cast<int64_t>(i));
    }
  }
  *term = rest;
  return axes.empty() ? x : g.Reduce(OpType::kSum, x, axes, false);
}

bool LettersOnce(const std::string& term) {
  std::string sorted = term;
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

// Two terms: batch letters (both and the result), letters of one and the result, summed letters.
Value Contract(GraphBuilder& g, Value a, std::string ta, Value b, std::string tb,
               const std::string& out) {
  a = SummedOut(g, a, &ta, tb + out);
  b = SummedOut(g, b, &tb, ta + out);
  if (g.failed(a) || g.failed(b)) return a;
  std::string batch, left, right, sum;
  std::map<char, int64_t> size;
  for (size_t i = 0; i < ta.size(); ++i) size[ta[i]] = g.shape(a)[static_cast<int>(i)];
  for (size_t i = 0; i < tb.size(); ++i) {
    const int64_t d = g.shape(b)[static_cast<int>(i)];
    if (Contains(ta, tb[i]) && size[tb[i]] != d)
      return g.Unsupported("operands that broadcast against each other");
    size[tb[i]] = d;
  }
  for (char c : ta) (Contains(tb, c) ? (Contains(out, c) ? batch : sum) : left) += c;
  for (char c : tb) {
    if (!Contains(ta, c)) right += c;
  }
  const auto dims = [&](const std::string& letters) {
    Ints d;
    for (char c : letters) d.push_back(size[c]);
    return d;
  };
  const auto product = [&](const std::string& letters) {
    int64_t p = 1;
    for (char c : letters) p *= size[c];
    return p;
  };
  Ints left_dims = dims(batch), right_dims = left_dims, result = dims(batch + left + right);
  left_dims.insert(left_dims.end(), {product(left), product(sum)});
  right_dims.insert(right_dims.end(), {product(sum), product(right)});
  const Value x = g.Reshape(Turned(g, a, ta, batch + left + sum), left_dims);
  const Value y = g.Reshape(Turned(g, b, tb, batch + sum + right), right_dims);
  const Value z = g.Reshape(g.MatMul(x, y), result);
  return Turned(g, z, batch + left + right, out);
}

void Einsum(Op& op) {
  GraphBuilder& g = op.g;
  std::vector<int> ranks;
  for (size_t i = 0; i < op.inputs(); ++i) {
    if (!op.has(i)) return op.Invalid("input " + std::to_string(i) + " is absent");
    ranks.push_back(op.Rank(i));
  }
  const auto equation = ParseEquation(op.Text("equation", ""), ranks);
  bool fits = equation.has_value() && LettersOnce(equation->out);
  for (size_t i = 0; fits && i < ranks.size(); ++i)
    fits = static_cast<int>(equation->terms[i].size()) == ranks[i];
  for (size_t i = 0; fits && i < equation->out.size(); ++i) {
    fits = std::any_of(equation->terms.begin(), equation->terms.end(),
                       [&](const std::string& t) { return Contains(t, equation->out[i]); });
  }
  if (!fits) return op.Invalid("equation '" + Shown(op.Text("equation", "")) + "'");
  for (const std::string& term : equation->terms) {
    if (!LettersOnce(term)) return op.Unsupported("a diagonal");
  }
  if (ranks.size() == 1) {
    std::string term = equation->terms[0];
    const Value x = SummedOut(g, op.Plain(0), &term, equation->out);
    return op.Set(0, Turned(g, x, term, equation->out));
  }
  if (ranks.size() != 2) return op.Unsupported("a product of three terms or more");
  op.Set(0, Contract(g, op.Plain(0), equation->terms[0], op.Plain(1), equation->terms[1],
                     equation->out));
}

}  // namespace

std::span<const Row> MatmulRows() {
  static constexpr Row kRows[] = {
      {"Gemm", Gemm, 2},
      {"MatMul", MatMul, 2},
      {"FusedMatMul", FusedMatMul, 2, 1, 1000, false, "com.microsoft"},
      {"Einsum", Einsum, 1},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
