// The bytes of an HDF5 file: addresses, sizes of numbers, and how much of it may be visited.
//
// The readers of HDF5 here are our own and only read. The reference library is not an option: it is
// written for files that one trusts, and a hostile file takes it out of its bounds. What they know
// is the "HDF5 File Format Specification Version 3.0", whose section numbers stand in the
// comments as "(spec IV.A.2)". They rely on three things:
//   - every address and size is checked against the file where it is used (Hdf5Reader::Bytes);
//   - nothing recurses: trees have levels that fall, objects are visited once;
//   - bytes visited are counted, so that blocks which many others point to cost what they cost, and
//     a file that shares them without end is refused.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_READER_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_READER_H_

#include <limits>
#include <string>

#include "platform/status.h"
#include "tools/import/weights/byte_reader.h"

namespace whit::tools {

/// "kind at 0x1f0: what is wrong".
Status BadHdf5(const std::string& kind, uint64_t address, const std::string& what);

using Hdf5Bytes = std::span<const std::byte>;

/// Bytes that numbers up to `most` are stored in where the file does not say how many.
size_t Hdf5BytesFor(uint64_t most);

class Hdf5Reader {
 public:
  /// What stands in the file for "nothing there".
  static constexpr uint64_t kUndefined = std::numeric_limits<uint64_t>::max();

  /// Where the superblock of an HDF5 file begins (0, or a power of two from 512 on), or kUndefined.
  static uint64_t FindSuperblock(std::span<const std::byte> file);

  /// Reads the superblock. `file` must outlive the reader; `work`: bytes that may be visited.
  static Result<Hdf5Reader> Open(std::span<const std::byte> file, uint64_t work);

  /// The same file with a new allowance.
  Hdf5Reader WithWork(uint64_t work) const {
    Hdf5Reader other = *this;
    other.work_ = work;
    return other;
  }

  /// Object header of the root group.
  uint64_t root() const { return root_; }
  size_t file_bytes() const { return file_.size(); }
  /// Bytes of an address, and of a length, in this file: 2, 4 or 8.
  size_t offset_size() const { return offset_size_; }
  size_t length_size() const { return length_size_; }

  /// An address (kUndefined if all its bits are set), and a length.
  uint64_t Offset(ByteReader& in) const;
  uint64_t Length(ByteReader& in) const { return in.Uint(length_size_); }

  /// Counts visited bytes; kOverBudget where the allowance is used up.
  Status Charge(uint64_t bytes);
  /// `size` bytes at an address of the file, counted unless they are data. `kind` is for messages.
  Result<std::span<const std::byte>> Data(const std::string& kind, uint64_t address,
                                          uint64_t size) const;
  Result<std::span<const std::byte>> Bytes(const std::string& kind, uint64_t address,
                                           uint64_t size);
  /// As many of them as there are, at most `size`; not counted.
  Result<std::span<const std::byte>> Upto(const std::string& kind, uint64_t address,
                                          uint64_t size) const;

 private:
  explicit Hdf5Reader(std::span<const std::byte> file, uint64_t work) : file_(file), work_(work) {}
  Status ReadSuperblock(uint64_t at);
  Status ReadOldSuperblock(ByteReader& in, int version, uint64_t at);

  std::span<const std::byte> file_;
  uint64_t work_;
  size_t offset_size_ = 8, length_size_ = 8;
  uint64_t base_ = 0;  // addresses count from here
  uint64_t root_ = kUndefined;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_HDF5_READER_H_
