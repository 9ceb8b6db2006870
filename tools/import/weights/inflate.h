// Deflate (RFC 1951), through zlib.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_INFLATE_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_INFLATE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "platform/status.h"

namespace whit::tools {

/// What is around the deflated bytes.
enum class Wrapping : uint8_t { kNone, kZlib };

/// Deflate makes 1032 bytes of one at most; a stream has a few of its own.
constexpr uint64_t MostInflated(uint64_t stored) { return 1100 * stored; }

/// Inflates into *out, whose size becomes what came out. kInvalidModel: damaged, or more than
/// `most` bytes; the caller has compared `most` with its limits. kUnsupported: a build without
/// zlib.
Status Inflate(std::span<const std::byte> in, Wrapping wrapping, uint64_t most,
               std::vector<std::byte>* out);

/// The first `count` bytes of what Inflate would make, or all where there are fewer; what comes
/// behind them is not looked at.
Status InflateStart(std::span<const std::byte> in, Wrapping wrapping, uint64_t count,
                    std::vector<std::byte>* out);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_INFLATE_H_
