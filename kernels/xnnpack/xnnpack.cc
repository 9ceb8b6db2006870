#include "kernels/xnnpack/xnnpack.h"

#include <algorithm>

#include "kernels/options.h"
#include "kernels/weighted.h"
#include "kernels/xnnpack/matrix.h"
#include "kernels/xnnpack/node.h"

namespace whit {
namespace {

using BinaryFn = xnn_status (*)(xnn_subgraph_t, float, float, uint32_t, uint32_t, uint32_t,
                                uint32_t);

template <BinaryFn kDefine>
std::shared_ptr<XnnRecipe> XnnBinary(const PrepareContext& ctx, std::string* why_not) {
  // Constants lie in the mapping, behind whose end XNNPACK may not read; and our own loops serve
  // them as well.
  if (ctx.in[0].data != nullptr || ctx.in[1].data != nullptr) {
    *why_not = "a constant operand";
    return nullptr;
  }
  auto options = OptionsOf<fbs::BinaryOptions>(ctx);
  if (!options.ok()) return nullptr;
  auto recipe = std::make_shared<XnnRecipe>();
  recipe->inputs = 2;
  recipe->define = [a = XnnDims(ctx.in[0].shape), b = XnnDims(ctx.in[1].shape),
                    c = XnnDims(ctx.out[0].shape), lo = (*options)->lo(),
                    hi = (*options)->hi()](XnnBuilder& builder) {
    const uint32_t x = builder.Input(0, a), y = builder.Input(1, b), z = builder.Output(c);
    builder.Node(kDefine(builder.subgraph(), lo, hi, x, y, z, 0));
  };
  return recipe;
}

using UnaryFn = xnn_status (*)(xnn_subgraph_t, uint32_t, uint32_t, uint32_t);

template <UnaryFn kDefine>
std::shared_ptr<XnnRecipe> XnnUnary(const PrepareContext& ctx, std::string*) {
  auto recipe = std::make_shared<XnnRecipe>();
  recipe->define = [dims = XnnDims(ctx.in[0].shape)](XnnBuilder& b) {
    const uint32_t x = b.Input(0, dims), y = b.Output(dims);
    b.Node(kDefine(b.subgraph(), x, y, 0));
  };
  return recipe;
}

std::shared_ptr<XnnRecipe> XnnSoftmax(const PrepareContext& ctx, std::string* why_not) {
  auto options = OptionsOf<fbs::SoftmaxOptions>(ctx);
  if (!options.ok()) return nullptr;
  if ((*options)->beta() != 1.0f) {
    *why_not = "beta other than 1";
    return nullptr;
  }
  return XnnUnary<xnn_define_softmax>(ctx, why_not);
}

template <bool kAverage>
std::shared_ptr<XnnRecipe> XnnPool(const PrepareContext& ctx, std::string*) {
  auto options = OptionsOf<fbs::PoolOptions>(ctx);
  if (!options.ok()) return nullptr;
  auto recipe = std::make_shared<XnnRecipe>();
  const fbs::PoolOptionsT o = *std::unique_ptr<fbs::PoolOptionsT>((*options)->UnPack());
  const int64_t pixels = ctx.out[0].shape[1] * ctx.out[0].shape[2];
  recipe->pointers = static_cast<size_t>(SaturatingProduct(pixels, o.filter_h, o.filter_w));
  recipe->define = [o, in = XnnDims(ctx.in[0].shape),
                    out = XnnDims(ctx.out[0].shape)](XnnBuilder& b) {
    const uint32_t x = b.Input(0, in), y = b.Output(out);
    if constexpr (kAverage) {
      b.Node(xnn_define_average_pooling_2d(b.subgraph(), o.pad_top, o.pad_right, o.pad_bottom,
                                           o.pad_left, o.filter_h, o.filter_w, o.stride_h,
                                           o.stride_w, o.lo, o.hi, x, y, 0));
    } else {
      b.Node(xnn_define_max_pooling_2d(b.subgraph(), o.pad_top, o.pad_right, o.pad_bottom,
                                       o.pad_left, o.filter_h, o.filter_w, o.stride_h, o.stride_w,
                                       1, 1, o.lo, o.hi, x, y, 0));
    }
  };
  return recipe;
}

using RecipeFn = std::shared_ptr<XnnRecipe> (*)(const PrepareContext&, std::string*);

bool AllFloatAndFull(std::span<const View> views) {
  return std::ranges::all_of(views, [](const View& v) {
    return v.type == DType::kFloat32 && v.elements() > 0 && v.shape.rank() <= XNN_MAX_TENSOR_DIMS;
  });
}

/// The reference checks the node first, so that XNNPACK sees nothing that we would refuse.
template <RecipeFn kRecipe>
Status Prepare(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
               std::string* why_not) {
  *accepted = false;
  Prepared reference;
  WHIT_RETURN_IF_ERROR(RowOf(ctx.type).prepare(ctx, &reference));
  if (!ctx.allow_xnnpack) {
    *why_not = "switched off";
    return OkStatus();
  }
  if (!AllFloatAndFull(ctx.in) || !AllFloatAndFull(ctx.out)) {
    *why_not = "serves float32 tensors of up to 6 axes with elements only";
    return OkStatus();
  }
  std::shared_ptr<XnnRecipe> recipe = kRecipe(ctx, why_not);
  if (recipe == nullptr) return OkStatus();
  return PrepareXnn(std::move(recipe), reference, prepared, accepted, why_not);
}

template <RecipeFn kRecipe>
std::span<const Implementation> Row() {
  static constexpr Implementation kRow[] = {{"xnnpack", &Prepare<kRecipe>}};
  return kRow;
}

}  // namespace

std::span<const Implementation> XnnpackAlternatives(OpType type) {
  switch (type) {
    case OpType::kConv2D:
      return Row<XnnConv>();
    case OpType::kDepthwiseConv2D:
      return Row<XnnDepthwiseConv>();
    case OpType::kFullyConnected:
      return Row<XnnFullyConnected>();
    case OpType::kAdd:
      return Row<XnnBinary<xnn_define_add2>>();
    case OpType::kSub:
      return Row<XnnBinary<xnn_define_subtract>>();
    case OpType::kMul:
      return Row<XnnBinary<xnn_define_multiply2>>();
    case OpType::kAveragePool2D:
      return Row<XnnPool<true>>();
    case OpType::kMaxPool2D:
      return Row<XnnPool<false>>();
    case OpType::kSoftmax:
      return Row<XnnSoftmax>();
    case OpType::kLogistic:
      return Row<XnnUnary<xnn_define_sigmoid>>();
    case OpType::kHardSwish:
      return Row<XnnUnary<xnn_define_hardswish>>();
    default:
      return {};
  }
}

}  // namespace whit
