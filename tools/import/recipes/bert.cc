// The BERT encoder (Devlin et al. 2018) with Hugging Face's names. Layers, widths, vocabulary and
// positions are read off the weights; the number of heads is not in them.
#include <cmath>
#include <limits>

#include "tools/import/recipes/layers.h"
#include "tools/import/recipes/recipes.h"

namespace whit::tools {

namespace {

constexpr float kEpsilon = 1e-12f;

class Bert {
 public:
  Bert(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values)
      : g_(g),
        weights_(weights),
        layers_{g, weights},
        batch_(values["batch"]),
        sequence_(values["sequence"]),
        heads_(values["heads"]) {}

  Value Run() {
    const Value ids = Tokens("input_ids"), mask = Tokens("attention_mask"),
                types = Tokens("token_type_ids");
    Value x = Embed(ids, types);
    const Value bias = MaskBias(mask);
    for (int i = 0; i == 0 || weights_.Has(Base(i) + "attention.self.query.weight"); ++i)
      x = Layer(x, bias, Base(i));
    return x;
  }

 private:
  static std::string Base(int i) { return "encoder.layer." + std::to_string(i) + "."; }

  Value Tokens(const std::string& name) {
    return g_.Input(name, DType::kInt32, Shape{batch_, sequence_});
  }

  Value Embed(Value ids, Value types) {
    const std::string base = "embeddings.";
    g_.At(base + "word_embeddings");
    const Value words = weights_.Take(g_, base + "word_embeddings.weight", {-1, -1});
    const int64_t hidden = g_.failed(words) ? -1 : g_.shape(words)[1];
    const Value kinds = weights_.Take(g_, base + "token_type_embeddings.weight", {-1, hidden});
    const Value places = weights_.Take(g_, base + "position_embeddings.weight", {-1, hidden});
    if (!g_.failed(places) && g_.shape(places)[0] < sequence_) {
      return g_.Invalid("sequence " + std::to_string(sequence_) + ": the weights have " +
                        std::to_string(g_.shape(places)[0]) + " positions");
    }
    Value x = g_.Add(g_.Gather(words, ids, 0), g_.Gather(kinds, types, 0));
    x = g_.At(base + "position_embeddings").Add(x, g_.SliceAxis(places, 0, 0, sequence_));
    return layers_.LayerNorm(x, base + "LayerNorm", kEpsilon);
  }

  // 0 where a token counts, the lowest float where it does not: [batch, 1, 1, sequence].
  Value MaskBias(Value mask) {
    g_.At("attention_mask");
    const Value absent = g_.Sub(g_.Float(1), g_.Cast(mask, DType::kFloat32));
    return g_.Reshape(g_.Mul(absent, g_.Float(std::numeric_limits<float>::lowest())),
                      Shape{batch_, 1, 1, sequence_});
  }

  Value Layer(Value x, Value bias, const std::string& base) {
    const Value attended =
        layers_.Linear(Attend(x, bias, base + "attention.self."), base + "attention.output.dense");
    x = layers_.LayerNorm(g_.Add(attended, x), base + "attention.output.LayerNorm", kEpsilon);
    const Value wide = g_.Gelu(layers_.Linear(x, base + "intermediate.dense"));
    const Value y = layers_.Linear(wide, base + "output.dense");
    return layers_.LayerNorm(g_.Add(y, x), base + "output.LayerNorm", kEpsilon);
  }

  // softmax(q k^T / sqrt(d) + bias) v for every head.
  Value Attend(Value x, Value bias, const std::string& base) {
    const int64_t hidden = g_.failed(x) ? 0 : g_.shape(x).back();
    if (hidden % heads_ != 0) {
      return g_.At(base).Invalid("heads " + std::to_string(heads_) + " do not divide a width of " +
                                 std::to_string(hidden));
    }
    const int64_t d = hidden / heads_;
    const auto split = [&](const char* name, float scale) {
      const Value y = g_.Mul(layers_.Linear(x, base + name), g_.Float(scale));
      return g_.Transpose(g_.Reshape(y, Shape{batch_, sequence_, heads_, d}), {0, 2, 1, 3});
    };
    const Value q = split("query", 1 / std::sqrt(static_cast<float>(std::max<int64_t>(d, 1))));
    const Value k = split("key", 1), v = split("value", 1);
    const Value scores = g_.At(base + "scores").Add(g_.MatMul(q, k, false, true), bias);
    const Value mixed = g_.At(base + "context").MatMul(g_.Softmax(scores), v);
    return g_.Reshape(g_.Transpose(mixed, {0, 2, 1, 3}), Shape{batch_, sequence_, hidden});
  }

  GraphBuilder& g_;
  NamedWeights& weights_;
  Layers layers_;
  int64_t batch_, sequence_, heads_;
};

}  // namespace

void BuildBert(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values) {
  weights.FindPrefix("embeddings.word_embeddings.weight");
  weights.IgnoreSuffix("position_ids");
  weights.IgnorePrefix("pooler.");
  g.Output("last_hidden_state", Bert(g, weights, values).Run());
}

}  // namespace whit::tools
