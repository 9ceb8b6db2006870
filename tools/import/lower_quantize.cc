// QUANTIZE, DEQUANTIZE and CAST: between stored numbers and real ones.
#include "kernels/float16.h"
#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

Status LowerHalf(Lowering& l) {
  if (!l.input(0).is_const()) return l.Unsupported("float16 computed at run time");
  auto bytes = std::make_shared<Bytes>(l.output(0).bytes());
  size_t at = 0;
  for (uint16_t h : l.input(0).values<uint16_t>()) {
    const float value = FloatFromHalf(h);
    std::memcpy(bytes->data() + at, &value, sizeof(value));
    at += sizeof(value);
  }
  return l.SetConstant(l.out(0), std::move(bytes));
}

Status LowerDequantize(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  if (!l.output(0).is_float())
    return l.Unsupported(std::string("output type ") + DTypeName(l.output(0).type));
  if (l.input(0).type == DType::kFloat16) return LowerHalf(l);
  if (l.input(0).is_float()) return l.EmitReshape(l.in(0), l.out(0));
  if (!l.input(0).quantized()) return l.Invalid("the input has no scale");
  return l.Emit(OpType::kDequantize, fbs::QuantizeOptionsT(), {l.in(0)}, {l.out(0)});
}

Status LowerQuantize(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  if (!l.output(0).quantized()) return l.Invalid("the output has no scale");
  const GraphTensor& in = l.input(0);
  // uint8 to int8 of one scale is nothing at all once both are canonical.
  if (in.type == l.output(0).type && in.SameQuant(l.output(0)))
    return l.EmitReshape(l.in(0), l.out(0));
  return l.Emit(OpType::kQuantize, fbs::QuantizeOptionsT(), {l.in(0)}, {l.out(0)});
}

// Writes the stored numbers of the source file to `real`, a float32 tensor: a quantized uint8 is
// stored less 128 here, and an 8-bit plan may store it otherwise again, so the number is taken as a
// quantity of scale 1.
Status StoredAsFloat(Lowering& l, int in, int real) {
  GraphTensor counted = l.tensor(in);
  counted.scale = {1.0f};
  counted.zero_point = {counted.shifted ? -128 : 0};
  counted.axis = -1;
  counted.shifted = false;
  const Shape shape = counted.shape;
  int raw = -1;
  if (l.tensor(in).is_const()) {
    raw = l.Constant(counted, *l.tensor(in).constant);
  } else {
    WHIT_ASSIGN_OR_RETURN(raw, l.TempOf(counted, shape));
    WHIT_RETURN_IF_ERROR(l.EmitReshape(in, raw));
  }
  return l.Emit(OpType::kDequantize, fbs::QuantizeOptionsT(), {raw}, {real});
}

Status LowerCast(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(1, 1, 1));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), l.input(0).shape));
  if (l.output(0).type == DType::kInt8 && l.output(0).quantized()) {
    if (!l.input(0).q8() || l.input(0).shifted != l.output(0).shifted) {
      return l.Unsupported("a cast to a quantized 8-bit type");
    }
    // Stored numbers pass as they are.
    l.output(0).CopyQuantFrom(l.input(0));
    return l.EmitReshape(l.in(0), l.out(0));
  }
  int in = l.in(0);
  if (l.input(0).type == DType::kInt8 && l.input(0).quantized()) {
    if (l.output(0).type == DType::kFloat32) return StoredAsFloat(l, in, l.out(0));
    WHIT_ASSIGN_OR_RETURN(const int real, l.TempFloat(l.input(0).shape));
    WHIT_RETURN_IF_ERROR(StoredAsFloat(l, in, real));
    in = real;
  }
  if (l.tensor(in).type == l.output(0).type) return l.EmitReshape(in, l.out(0));
  return l.Emit(OpType::kCast, fbs::CastOptionsT(), {in}, {l.out(0)});
}

}  // namespace

std::span<const LowerRow> QuantizeRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::QUANTIZE, LowerQuantize},
      {BuiltinOperator::DEQUANTIZE, LowerDequantize},
      {BuiltinOperator::CAST, LowerCast},
  };
  return kRows;
}

}  // namespace whit::tools
