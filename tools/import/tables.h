// Functions of one quantized operand as tables of the graph.
#ifndef WHIT_TOOLS_IMPORT_TABLES_H_
#define WHIT_TOOLS_IMPORT_TABLES_H_

#include "tools/import/scope.h"

namespace whit::tools {

/// out = op(in) by a table of every 8-bit code, or of 513 points of 16 bit. REQUIRES that both are
/// q8() or both q16().
Status EmitTable(Scope& l, OpType op, const fbs::UnaryOptionsT& options, int in, int out);

/// The blob of tables of an integer softmax over `in`; -1 for float.
Result<int> SoftmaxTables(Scope& l, const GraphTensor& in, bool log, float beta);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_TABLES_H_
