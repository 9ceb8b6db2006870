#include "tools/import/tables.h"

#include "kernels/tables.h"

namespace whit::tools {

Status EmitTable(Scope& l, OpType op, const fbs::UnaryOptionsT& o, int in_index, int out_index) {
  const GraphTensor& in = l.tensor(in_index);
  const GraphTensor& out = l.tensor(out_index);
  const RealFunction f = FunctionOf(op, o.alpha, o.approximate);
  if (!f) return l.Unsupported(std::string(RowOf(op).name) + " of quantized tensors");
  fbs::TableOptionsT options;
  options.source = RowOf(op).name;
  if (in.q8()) {
    const auto table = MakeTable(f, in.s(), in.z(), out.s(), out.z());
    options.table = l.graph().AddArray(std::span<const int8_t>(table));
    return l.Emit(OpType::kTable, std::move(options), {in_index}, {out_index});
  }
  const auto table = MakeTable16(f, in.s(), in.z(), out.s(), out.z());
  options.table = l.graph().AddArray(std::span<const int16_t>(table));
  return l.Emit(OpType::kTable16, std::move(options), {in_index}, {out_index});
}

Result<int> SoftmaxTables(Scope& l, const GraphTensor& in, bool log, float beta) {
  if (in.is_float()) return -1;
  if (!in.q8() && !in.q16()) return l.Unsupported(std::string("type ") + DTypeName(in.type));
  std::vector<uint32_t> table;
  if (in.q8()) {
    table = log ? MakeLogSoftmaxTable8(beta, in.s()) : MakeSoftmaxTable8(beta, in.s());
  } else {
    table = log ? MakeLogSoftmaxTable16(beta, in.s()) : MakeSoftmaxTable16(beta, in.s());
  }
  return l.graph().AddArray(std::span<const uint32_t>(table));
}

}  // namespace whit::tools
