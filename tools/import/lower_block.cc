// Blocks of pixels to batches or channels, and back.
#include "tools/import/lowering.h"

namespace whit::tools {

Result<Amounts> ReadAmounts(Lowering& l, size_t i, size_t axes, const char* what) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> pairs, l.Ints(i, what));
  if (pairs.size() != 2 * axes) {
    return l.Invalid(std::string(what) + " have " + std::to_string(pairs.size()) + " numbers, " +
                     std::to_string(2 * axes) + " needed");
  }
  Amounts amounts;
  for (size_t a = 0; a < axes; ++a) {
    for (size_t side : {0, 1}) {
      const int64_t v = pairs[2 * a + side];
      if (v < 0 || v > std::numeric_limits<int32_t>::max()) {
        return l.Invalid(std::string(what) + ": axis " + std::to_string(a) + " has " +
                         std::to_string(v));
      }
      (side == 0 ? amounts.before : amounts.after).push_back(v);
    }
  }
  return amounts;
}

namespace {

Status LowerSpaceBatch(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, 1));
  const bool to_batch = l.code() == BuiltinOperator::SPACE_TO_BATCH_ND;
  if (l.state().spread.contains(l.in(0))) {  // the convolution before it was dilated instead
    WHIT_RETURN_IF_ERROR(l.PassThrough(0));
    WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
    return l.EmitReshape(l.in(0), l.out(0));
  }
  std::vector<int64_t> dims = Dims(l.input(0).shape);
  WHIT_ASSIGN_OR_RETURN(const std::vector<int64_t> block, l.Ints(1, "the block"));
  if (dims.size() != block.size() + 1 && dims.size() != block.size() + 2) {
    return l.Invalid("a block of " + std::to_string(block.size()) + " axes for rank " +
                     std::to_string(dims.size()));
  }
  WHIT_ASSIGN_OR_RETURN(const Amounts amounts,
                        ReadAmounts(l, 2, block.size(), to_batch ? "the paddings" : "the crops"));
  for (size_t i = 0; i < block.size(); ++i) {
    const int64_t b = block[i], border = amounts.before[i] + amounts.after[i];
    if (b < 1 || b > std::numeric_limits<int32_t>::max())
      return l.Invalid("block size " + std::to_string(b));
    const int64_t extent = to_batch ? dims[i + 1] + border : dims[i + 1] * b - border;
    const int64_t batch = to_batch ? dims[0] * b : dims[0] / b;
    if (extent < 0 || (to_batch ? extent % b : dims[0] % b) != 0 ||
        batch > std::numeric_limits<int32_t>::max()) {
      return l.Invalid("axis " + std::to_string(i + 1) + ": " + std::to_string(dims[i + 1]) +
                       " with a border of " + std::to_string(border) + " and batch " +
                       std::to_string(dims[0]) + " do not fit blocks of " + std::to_string(b));
    }
    dims[i + 1] = to_batch ? extent / b : extent;
    dims[0] = batch;
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), dims));
  fbs::BlockOptionsT o;
  o.block = ToU32(block), o.before = ToU32(amounts.before), o.after = ToU32(amounts.after);
  return l.Emit(to_batch ? OpType::kSpaceToBatchNd : OpType::kBatchToSpaceNd, std::move(o),
                {l.in(0)}, {l.out(0)});
}

Status LowerDepth(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  const bool to_depth = l.code() == BuiltinOperator::SPACE_TO_DEPTH;
  const int64_t b =
      to_depth ? l.Options(&tflite::Operator::builtin_options_as_SpaceToDepthOptions).block_size
               : l.Options(&tflite::Operator::builtin_options_as_DepthToSpaceOptions).block_size;
  Shape s = l.input(0).shape;
  if (s.rank() != 4 || b < 1 || b > (1 << 15)) {
    return l.Invalid("block " + std::to_string(b) + " on shape " + s.ToString());
  }
  const bool fits = to_depth ? s[1] % b == 0 && s[2] % b == 0 : s[3] % (b * b) == 0;
  if (!fits)
    return l.Invalid("shape " + s.ToString() + " does not divide into blocks of " +
                     std::to_string(b));
  if (to_depth) {
    s = Shape{s[0], s[1] / b, s[2] / b, s[3] * b * b};
  } else {
    s = Shape{s[0], s[1] * b, s[2] * b, s[3] / (b * b)};
  }
  WHIT_RETURN_IF_ERROR(l.PassThrough(0));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), s));
  fbs::BlockOptionsT o;
  o.block = {static_cast<uint32_t>(b), static_cast<uint32_t>(b)};
  return l.Emit(to_depth ? OpType::kSpaceToDepth : OpType::kDepthToSpace, std::move(o), {l.in(0)},
                {l.out(0)});
}

}  // namespace

std::span<const LowerRow> BlockRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::SPACE_TO_BATCH_ND, LowerSpaceBatch},
      {BuiltinOperator::BATCH_TO_SPACE_ND, LowerSpaceBatch},
      {BuiltinOperator::SPACE_TO_DEPTH, LowerDepth},
      {BuiltinOperator::DEPTH_TO_SPACE, LowerDepth},
  };
  return kRows;
}

}  // namespace whit::tools
