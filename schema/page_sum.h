// A checksum of a page at the speed of memory, for looking again at bytes that have passed the hash
// tree. It finds accidents; what finds attackers is the tree.
#ifndef WHIT_SCHEMA_PAGE_SUM_H_
#define WHIT_SCHEMA_PAGE_SUM_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace whit {

/// Of the 32-bit words w[0], w[1], ... of the bytes (little-endian, zeros behind the last one):
/// their sum, and the sum of those sums: n w[0] + (n-1) w[1] + ... + w[n-1], modulo 2^64.
///
/// Found for certain: any change inside of two words, so any one or two flipped bits and any burst
/// of up to 33. Proof for up to 2^30 bytes: a change of d in one word changes `words` by d, and |d|
/// < 2^32. Changes of d and e in words i < j leave `words` only if e = -d, and then change
/// `running` by (j - i) d, which is not 0 and below 2^28 * 2^32 < 2^64.
struct PageSum {
  uint64_t words = 0, running = 0;
  bool operator==(const PageSum&) const = default;
};
PageSum SumOf(std::span<const std::byte> bytes);

}  // namespace whit

#endif  // WHIT_SCHEMA_PAGE_SUM_H_
