#include "kernels/xnnpack/matrix.h"

#include "kernels/conv_geometry.h"
#include "kernels/options.h"
#include "kernels/pack.h"
#include "kernels/weighted.h"

namespace whit {
namespace {

/// Weights in logical order and the bias (zeros where there is none). XNNPACK packs them once more
/// for itself, so a copy is all it can have (decisions: only XNNPACK may).
template <typename Options>
std::shared_ptr<XnnRecipe> WithWeights(const PrepareContext& ctx, const Options& options,
                                       const PackedWeights** weights, std::string* why_not) {
  auto found = ctx.Weights(options.weights());
  if (!found.ok() || !(*found)->is_float()) {
    *why_not = "int8 weights";
    return nullptr;
  }
  *weights = *found;
  auto bias = ctx.Blob<float>(options.bias(), (*weights)->n, "bias", /*optional=*/true);
  Status status = ctx.CheckRead((*weights)->data, (*weights)->data_bytes);
  if (status.ok() && bias.ok())
    status = ctx.CheckRead(*bias, static_cast<size_t>((*weights)->n) * sizeof(float));
  if (!status.ok()) {  // the run, which reads them too, ends with it
    *why_not = status.message();
    return nullptr;
  }
  auto recipe = std::make_shared<XnnRecipe>();
  recipe->weights = UnpackF32(**weights);
  recipe->bias.assign(static_cast<size_t>((*weights)->n), 0.0f);
  if (bias.ok() && *bias != nullptr) {
    std::copy_n(*bias, recipe->bias.size(), recipe->bias.begin());
  }
  return recipe;
}

uint32_t U32(int64_t v) { return static_cast<uint32_t>(v); }
size_t Size(int64_t v) { return static_cast<size_t>(v); }

struct ConvNode {
  ConvGeometry g;
  int64_t groups = 1;
  uint32_t top = 0, right = 0, bottom = 0, left = 0;
  float lo = 0, hi = 0;
  bool depthwise = false;
};

void DefineConv(const ConvNode& n, const XnnRecipe& recipe, XnnBuilder& b) {
  const ConvGeometry& g = n.g;
  const uint32_t x = b.Input(0, {Size(g.batch), Size(g.in_h), Size(g.in_w), Size(g.in_c)});
  const uint32_t y = b.Output({Size(g.batch), Size(g.out_h), Size(g.out_w), Size(g.out_c)});
  const uint32_t bias = b.Static({Size(g.out_c)}, recipe.bias.data());
  const size_t kh = Size(g.kernel_h), kw = Size(g.kernel_w);
  if (n.depthwise) {
    const uint32_t w = b.Static({1, kh, kw, Size(g.out_c)}, recipe.weights.data());
    b.Node(xnn_define_depthwise_convolution_2d(
        b.subgraph(), n.top, n.right, n.bottom, n.left, U32(g.kernel_h), U32(g.kernel_w),
        U32(g.stride_h), U32(g.stride_w), U32(g.dilation_h), U32(g.dilation_w),
        U32(g.out_c / g.in_c), Size(g.in_c), n.lo, n.hi, x, w, bias, y, 0));
    return;
  }
  const uint32_t w =
      b.Static({Size(g.out_c), kh, kw, Size(g.in_c / n.groups)}, recipe.weights.data());
  b.Node(xnn_define_convolution_2d(
      b.subgraph(), n.top, n.right, n.bottom, n.left, U32(g.kernel_h), U32(g.kernel_w),
      U32(g.stride_h), U32(g.stride_w), U32(g.dilation_h), U32(g.dilation_w), U32(n.groups),
      Size(g.in_c / n.groups), Size(g.out_c / n.groups), n.lo, n.hi, x, w, bias, y, 0));
}

std::shared_ptr<XnnRecipe> ConvRecipe(const PrepareContext& ctx, ConvForm form,
                                      std::string* why_not) {
  auto options = OptionsOf<fbs::ConvOptions>(ctx);
  if (!options.ok()) return nullptr;
  const fbs::ConvOptions& o = **options;
  const PackedWeights* weights = nullptr;
  auto recipe = WithWeights(ctx, o, &weights, why_not);
  if (recipe == nullptr) return nullptr;
  auto geometry = ReadConvGeometry(ctx, o, *weights, form);
  if (!geometry.ok()) return nullptr;
  const ConvNode node{.g = *geometry,
                      .groups = weights->groups,
                      .top = o.pad_top(),
                      .right = o.pad_right(),
                      .bottom = o.pad_bottom(),
                      .left = o.pad_left(),
                      .lo = o.lo(),
                      .hi = o.hi(),
                      .depthwise = form == ConvForm::kDepthwise};
  const ConvGeometry& g = node.g;
  const int64_t pixels = g.out_h * g.out_w;
  recipe->pointers = Size(SaturatingProduct(pixels, g.kernel_h, g.kernel_w));
  recipe->define = [node, r = recipe.get()](XnnBuilder& b) { DefineConv(node, *r, b); };
  return recipe;
}

}  // namespace

std::shared_ptr<XnnRecipe> XnnConv(const PrepareContext& ctx, std::string* why_not) {
  return ConvRecipe(ctx, ConvForm::kConv, why_not);
}

std::shared_ptr<XnnRecipe> XnnDepthwiseConv(const PrepareContext& ctx, std::string* why_not) {
  return ConvRecipe(ctx, ConvForm::kDepthwise, why_not);
}

std::shared_ptr<XnnRecipe> XnnFullyConnected(const PrepareContext& ctx, std::string* why_not) {
  auto options = OptionsOf<fbs::FullyConnectedOptions>(ctx);
  if (!options.ok()) return nullptr;
  const PackedWeights* weights = nullptr;
  auto recipe = WithWeights(ctx, **options, &weights, why_not);
  if (recipe == nullptr) return nullptr;
  const Shape& x = ctx.in[0].shape;
  const size_t rows = Size(x.Product(0, x.rank() - 1)), k = Size(weights->run_length);
  const size_t n = Size(weights->n);
  const float lo = (*options)->lo(), hi = (*options)->hi();
  recipe->define = [=, r = recipe.get()](XnnBuilder& b) {
    const uint32_t in = b.Input(0, {rows, k}), out = b.Output({rows, n});
    const uint32_t w = b.Static({n, k}, r->weights.data());
    const uint32_t bias = b.Static({n}, r->bias.data());
    b.Node(xnn_define_fully_connected(b.subgraph(), lo, hi, in, w, bias, out, 0));
  };
  return recipe;
}

}  // namespace whit
