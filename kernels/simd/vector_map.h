// Element by element in whole registers: two operands, functions of one float, tables of bytes,
// conversions between floats and bytes.
#ifndef WHIT_KERNELS_SIMD_VECTOR_MAP_H_
#define WHIT_KERNELS_SIMD_VECTOR_MAP_H_

#include <string>

#include "kernels/op.h"

namespace whit {

/// Add to SquaredDifference: 8 bits, int16 and float32.
Status PrepareVectorBinary(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                           std::string* why_not);
Status PrepareVectorPRelu(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not);
/// Functions of a float.
Status PrepareVectorUnary(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not);
/// Table, and Quantize between 8-bit tensors: 256 results of the reference.
Status PrepareVectorTable(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                          std::string* why_not);
/// Casts: between 8-bit types by a table, 8 bits to float32.
Status PrepareVectorCast(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                         std::string* why_not);
/// Tables of int16.
Status PrepareVectorTable16(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                            std::string* why_not);
/// float32, int16 and 8 bits to one another.
Status PrepareVectorQuantize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                             std::string* why_not);
Status PrepareVectorDequantize(const PrepareContext& ctx, Prepared* prepared, bool* accepted,
                               std::string* why_not);

}  // namespace whit

#endif  // WHIT_KERNELS_SIMD_VECTOR_MAP_H_
