#include "tools/import/weights/hdf5_reader.h"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace whit::tools {

namespace {

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);

bool IsNumberSize(size_t size) { return size == 2 || size == 4 || size == 8; }

}  // namespace

Status BadHdf5(const std::string& kind, uint64_t address, const std::string& what) {
  char place[32];
  std::snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(address));
  return Status(StatusCode::kInvalidModel, kind + " at " + place + ": " + what);
}

size_t Hdf5BytesFor(uint64_t most) {
  return most == 0 ? 1 : (static_cast<size_t>(std::bit_width(most)) + 7) / 8;
}

uint64_t Hdf5Reader::FindSuperblock(std::span<const std::byte> file) {
  for (uint64_t at = 0; at < file.size(); at = at == 0 ? 512 : 2 * at) {
    ByteReader in(file.subspan(static_cast<size_t>(at)));
    if (in.Matches(kSignature)) return at;
  }
  return kUndefined;
}

Result<Hdf5Reader> Hdf5Reader::Open(std::span<const std::byte> file, uint64_t work) {
  const uint64_t at = FindSuperblock(file);
  if (at == kUndefined) {
    return Status(StatusCode::kInvalidModel, "not an HDF5 file: no superblock");
  }
  Hdf5Reader reader(file, work);
  WHIT_RETURN_IF_ERROR(reader.ReadSuperblock(at));
  return reader;
}

Status Hdf5Reader::ReadSuperblock(uint64_t at) {
  ByteReader in(file_.subspan(static_cast<size_t>(at)));
  in.Skip(kSignature.size());
  const int version = in.U8();
  if (version > 3) {
    return Status(StatusCode::kUnsupported,
                  "superblock version " + std::to_string(version) + ", 0 to 3 are known");
  }
  if (version < 2) return ReadOldSuperblock(in, version, at);
  offset_size_ = in.U8();
  length_size_ = in.U8();
  in.Skip(1);  // consistency flags
  if (!IsNumberSize(offset_size_) || !IsNumberSize(length_size_))
    return BadHdf5("superblock", at, "addresses or lengths are not of 2, 4 or 8 bytes");
  base_ = Offset(in);
  in.Skip(2 * offset_size_);  // superblock extension, end of the file
  root_ = Offset(in);
  if (!in.ok()) return BadHdf5("superblock", at, "the file ends in it");
  return OkStatus();
}

// Spec II.A, versions 0 and 1.
Status Hdf5Reader::ReadOldSuperblock(ByteReader& in, int version, uint64_t at) {
  in.Skip(4);  // versions of parts that have but one
  offset_size_ = in.U8();
  length_size_ = in.U8();
  in.Skip(1 + 2 + 2 + 4 + (version == 1 ? 4 : 0));  // sizes of tree nodes, flags
  if (!IsNumberSize(offset_size_) || !IsNumberSize(length_size_))
    return BadHdf5("superblock", at, "addresses or lengths are not of 2, 4 or 8 bytes");
  base_ = Offset(in);
  in.Skip(3 * offset_size_);  // free space, end of the file, driver
  in.Skip(offset_size_);      // the root group's entry: its name, then its header
  root_ = Offset(in);
  if (!in.ok()) return BadHdf5("superblock", at, "the file ends in it");
  return OkStatus();
}

uint64_t Hdf5Reader::Offset(ByteReader& in) const {
  const uint64_t value = in.Uint(offset_size_);
  return value == kUndefined >> (64 - 8 * offset_size_) ? kUndefined : value;
}

Status Hdf5Reader::Charge(uint64_t bytes) {
  if (bytes > work_) {
    return Status(StatusCode::kOverBudget, "more structure than a file of " +
                                               std::to_string(file_.size()) +
                                               " bytes has without sharing it over and over");
  }
  work_ -= bytes;
  return OkStatus();
}

Result<std::span<const std::byte>> Hdf5Reader::Upto(const std::string& kind, uint64_t address,
                                                    uint64_t size) const {
  if (address == kUndefined) return BadHdf5(kind, address, "has no address");
  // base_ may be anything, so no sum of the two before it is known to fit.
  if (base_ > file_.size() || address > file_.size() - base_) {
    return BadHdf5(kind, address, "lies behind the file's end at " + std::to_string(file_.size()));
  }
  const size_t at = static_cast<size_t>(base_ + address);
  return file_.subspan(at, static_cast<size_t>(std::min<uint64_t>(size, file_.size() - at)));
}

Result<std::span<const std::byte>> Hdf5Reader::Data(const std::string& kind, uint64_t address,
                                                    uint64_t size) const {
  WHIT_ASSIGN_OR_RETURN(const auto bytes, Upto(kind, address, size));
  if (bytes.size() < size) {
    return BadHdf5(
        kind, address,
        std::to_string(size) + " bytes leave the file of " + std::to_string(file_.size()));
  }
  return bytes;
}

Result<std::span<const std::byte>> Hdf5Reader::Bytes(const std::string& kind, uint64_t address,
                                                     uint64_t size) {
  WHIT_RETURN_IF_ERROR(Charge(size));
  return Data(kind, address, size);
}

}  // namespace whit::tools
