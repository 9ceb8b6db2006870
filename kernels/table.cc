// Table: any function of one 8-bit value as 256 stored bytes. Table16: any function of one int16
// value as 513 stored points, linear in between, integers only. Who makes the tables:
// kernels/tables.h, at import. docs/arithmetic.md, 4. Tasks are elements.
#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/elementwise.h"
#include "kernels/op.h"
#include "kernels/options.h"
#include "kernels/table.h"
#include "kernels/tables.h"
#include "schema/model_generated.h"

namespace whit {

namespace {

struct TableParams {
  std::array<uint8_t, 256> bytes;  // indexed by the stored input, gives the stored output
};

KernelCode RunTable(const RunContext& ctx) {
  const auto& p = ctx.As<TableParams>();
  const uint8_t* in = ctx.in[0].as<uint8_t>();
  uint8_t* out = ctx.out[0].mut<uint8_t>();
  for (int64_t i = ctx.tasks.begin; i < ctx.tasks.end; ++i) out[i] = p.bytes[in[i]];
  return KernelCode::kOk;
}

KernelCode RunTable16(const RunContext& ctx) {
  const auto& p = ctx.As<Table16Params>();
  const int16_t* in = ctx.in[0].as<int16_t>();
  int16_t* out = ctx.out[0].mut<int16_t>();
  for (int64_t i = ctx.tasks.begin; i < ctx.tasks.end; ++i) {
    out[i] = InterpolateTable16(p.points.data(), in[i]);
  }
  return KernelCode::kOk;
}

// Everything the two have in common; the blob is copied, so that a file changed under the map stays
// harmless.
template <typename Params>
Status PrepareCommon(const PrepareContext& ctx, Prepared* out, Params p, KernelFn run) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, ctx.in[0].shape));
  out->run = run;
  out->tasks = ctx.out[0].elements();
  out->macs = out->tasks;
  out->in_place = MayShare(ctx, 0);
  out->SetParams(p);
  return OkStatus();
}

}  // namespace

Status PrepareTable(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the input", ctx.in[0].type, {DType::kInt8, DType::kUint8}));
  WHIT_RETURN_IF_ERROR(
      ctx.ExpectType("the output", ctx.out[0].type, {DType::kInt8, DType::kUint8}));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TableOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const uint8_t* blob, ctx.Blob<uint8_t>(options->table(), 256, "the table"));
  // The blob is indexed by q + 128 and holds canonical int8: flip the top bit on the sides stored
  // as int8 and uint8.
  const size_t flip_in = ctx.in[0].type == DType::kUint8 ? 0 : 0x80;
  const uint8_t flip_out = ctx.out[0].type == DType::kUint8 ? 0x80 : 0;
  TableParams p;
  for (size_t stored = 0; stored < 256; ++stored) {
    p.bytes[stored] = static_cast<uint8_t>(blob[stored ^ flip_in] ^ flip_out);
  }
  return PrepareCommon(ctx, out, p, &RunTable);
}

Status PrepareTable16(const PrepareContext& ctx, Prepared* out) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(1, 1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(1));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the input", ctx.in[0].type, {DType::kInt16}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output", ctx.out[0].type, {DType::kInt16}));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::TableOptions>(ctx));
  WHIT_ASSIGN_OR_RETURN(const int16_t* blob,
                        ctx.Blob<int16_t>(options->table(), kTable16Entries, "the table"));
  Table16Params p;
  std::memcpy(p.points.data(), blob, sizeof(p.points));
  return PrepareCommon(ctx, out, p, &RunTable16);
}

const char* const kTypesTable = "int8 uint8";
const char* const kTypesTable16 = "int16";

}  // namespace whit
