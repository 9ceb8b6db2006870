#include "tools/import/weights/hdf5_dataset.h"

#include <algorithm>
#include <cstring>

namespace whit::tools {

namespace {

using LayoutKind = Hdf5Layout::Kind;

// Versions 1 and 2: a rank, and where the elements lie before their shape.
Status ParseOldLayout(const Hdf5Reader& reader, ByteReader& in, Hdf5Layout* layout) {
  const int rank = in.U8();
  const int kind = in.U8();
  in.Skip(5);
  if (kind > 2) return BadHdf5("layout class " + std::to_string(kind));
  layout->kind = static_cast<LayoutKind>(kind);
  if (layout->kind != LayoutKind::kCompact) layout->address = reader.Offset(in);
  for (int i = 0; i < rank; ++i) layout->chunk.push_back(in.U32());
  if (layout->kind == LayoutKind::kCompact) layout->compact = in.Take(in.U32());
  return OkStatus();
}

Status ParseChunked(const Hdf5Reader& reader, ByteReader& in, Hdf5Layout* layout) {
  const int rank = in.U8();
  layout->address = reader.Offset(in);
  for (int i = 0; i < rank; ++i) layout->chunk.push_back(in.U32());
  return OkStatus();
}

// Version 4: the index is one of five.
Status ParseIndexed(const Hdf5Reader& reader, ByteReader& in, Hdf5Dataset* dataset) {
  Hdf5Layout& layout = dataset->layout;
  const uint8_t flags = in.U8();
  const int rank = in.U8();
  const size_t dim_bytes = in.U8();
  if (dim_bytes < 1 || dim_bytes > 8) return BadHdf5("a chunk's shape is cut off");
  layout.plain_edges = (flags & 1) != 0;
  for (int i = 0; i < rank; ++i) layout.chunk.push_back(in.Uint(dim_bytes));
  const int index = in.U8();
  switch (index) {
    case 1:
      if ((flags & 2) != 0) {
        layout.single_bytes = reader.Length(in);
        layout.single_mask = in.U32();
      }
      break;
    case 2:
      break;
    case 3:
      in.Skip(1);  // also in the array's head
      break;
    case 4:
      dataset->refused = "chunks in an extensible array";
      return OkStatus();
    case 5:
      dataset->refused = "chunks in a B-tree of version 2";
      return OkStatus();
    default:
      return BadHdf5("chunk index " + std::to_string(index));
  }
  layout.index = static_cast<Hdf5Layout::Index>(index);
  layout.address = reader.Offset(in);
  return OkStatus();
}

Status ParseLayout(const Hdf5Reader& reader, Hdf5Bytes message, Hdf5Dataset* dataset) {
  ByteReader in(message);
  Hdf5Layout& layout = dataset->layout;
  const int version = in.U8();
  if (version < 1 || version > 4) {
    dataset->refused = "layout version " + std::to_string(version);
    return OkStatus();
  }
  if (version <= 2) {
    WHIT_RETURN_IF_ERROR(ParseOldLayout(reader, in, &layout));
  } else {
    const int kind = in.U8();
    if (kind == 3) {
      dataset->refused = "a virtual dataset, made of others";
      return OkStatus();
    }
    if (kind > 3) return BadHdf5("layout class " + std::to_string(kind));
    layout.kind = static_cast<LayoutKind>(kind);
    if (layout.kind == LayoutKind::kCompact) {
      layout.compact = in.Take(in.U16());
    } else if (layout.kind == LayoutKind::kContiguous) {
      layout.address = reader.Offset(in);
      layout.size = reader.Length(in);
    } else {
      WHIT_RETURN_IF_ERROR(version == 3 ? ParseChunked(reader, in, &layout)
                                        : ParseIndexed(reader, in, dataset));
    }
  }
  if (!in.ok()) return BadHdf5("a layout message is cut off");
  return OkStatus();
}

// The shape of chunks ends with the size of an element.
Status CheckChunkShape(Hdf5Dataset* dataset) {
  std::vector<uint64_t>& chunk = dataset->layout.chunk;
  if (chunk.size() != dataset->space.dims.size() + 1 || chunk.size() < 2) {
    return BadHdf5("chunks of " + std::to_string(chunk.size()) + " numbers in a dataset of rank " +
                   std::to_string(dataset->space.dims.size()));
  }
  if (chunk.back() != dataset->type.size) {
    return BadHdf5("chunks have elements of " + std::to_string(chunk.back()) +
                   " bytes, the type of " + std::to_string(dataset->type.size));
  }
  chunk.pop_back();
  for (uint64_t d : chunk) {
    if (d == 0 || d > std::numeric_limits<uint32_t>::max())
      return BadHdf5("chunks have a side of " + std::to_string(d) + " elements");
  }
  return OkStatus();
}

// The value of elements that are not stored.
Hdf5Bytes ParseFill(const Hdf5Message& message) {
  ByteReader in(message.data);
  if (message.type == Hdf5MessageType::kFillValue) {
    const int version = in.U8();
    if (version == 3) {
      if ((in.U8() & 32) == 0) return {};
    } else {
      in.Skip(2);
      const bool defined = in.U8() != 0;
      if (version == 2 && !defined) return {};
    }
  }
  return in.Take(in.U32());
}

void SwapParts(std::span<std::byte> bytes, size_t part) {
  for (size_t i = 0; i + part <= bytes.size(); i += part)
    std::reverse(bytes.begin() + static_cast<long>(i), bytes.begin() + static_cast<long>(i + part));
}

}  // namespace

Result<Hdf5Dataset> ReadHdf5Dataset(Hdf5Reader& reader, const Hdf5Object& object,
                                    bool* is_dataset) {
  Hdf5Dataset dataset;
  const Hdf5Message* type = object.Find(Hdf5MessageType::kDatatype);
  const Hdf5Message* space = object.Find(Hdf5MessageType::kDataspace);
  const Hdf5Message* layout = object.Find(Hdf5MessageType::kLayout);
  *is_dataset = type != nullptr && space != nullptr && layout != nullptr;
  if (!*is_dataset) return dataset;
  WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes type_bytes, ResolveHdf5Message(reader, *type));
  WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes space_bytes, ResolveHdf5Message(reader, *space));
  dataset.type = ParseHdf5Type(type_bytes);
  dataset.refused = dataset.type.refused;
  WHIT_ASSIGN_OR_RETURN(dataset.space, ParseHdf5Space(reader, space_bytes));
  if (object.Find(Hdf5MessageType::kExternalFiles) != nullptr)
    dataset.refused = "data in other files";
  if (!dataset.refused.empty()) return dataset;
  WHIT_RETURN_IF_ERROR(ParseLayout(reader, layout->data, &dataset));
  if (const Hdf5Message* filters = object.Find(Hdf5MessageType::kFilters)) {
    WHIT_ASSIGN_OR_RETURN(const Hdf5Bytes bytes, ResolveHdf5Message(reader, *filters));
    WHIT_ASSIGN_OR_RETURN(dataset.filters, ParseHdf5Filters(bytes));
    if (dataset.refused.empty()) dataset.refused = RefusedHdf5Filter(dataset.filters);
  }
  if (!dataset.refused.empty()) return dataset;
  if (dataset.layout.kind == LayoutKind::kChunked) WHIT_RETURN_IF_ERROR(CheckChunkShape(&dataset));
  const Hdf5Message* fill = object.Find(Hdf5MessageType::kFillValue);
  if (fill == nullptr) fill = object.Find(Hdf5MessageType::kOldFillValue);
  if (fill != nullptr && !fill->shared) dataset.fill = ParseFill(*fill);
  if (dataset.fill.size() != dataset.type.size) dataset.fill = {};
  return dataset;
}

Result<Hdf5Bytes> ReadHdf5Elements(Hdf5Reader& reader, const Hdf5Dataset& dataset,
                                   std::vector<std::byte>* scratch) {
  const uint64_t size = dataset.bytes();
  const Hdf5Layout& layout = dataset.layout;
  Hdf5Bytes stored;
  if (layout.kind == LayoutKind::kCompact) {
    if (layout.compact.size() < size) {
      return BadHdf5(std::to_string(size) + " bytes needed, " +
                     std::to_string(layout.compact.size()) + " lie in the header");
    }
    stored = layout.compact.first(static_cast<size_t>(size));
  } else if (layout.kind == LayoutKind::kContiguous && layout.address != Hdf5Reader::kUndefined) {
    if (layout.size < size) {
      return BadHdf5(std::to_string(size) + " bytes needed, " + std::to_string(layout.size) +
                     " are stored");
    }
    WHIT_ASSIGN_OR_RETURN(stored, reader.Data("data", layout.address, size));
  }
  if (dataset.in_place() || size == 0) return stored;

  scratch->resize(static_cast<size_t>(size));
  std::span<std::byte> out(*scratch);
  if (!stored.empty()) {
    std::copy(stored.begin(), stored.end(), out.begin());
  } else {
    const size_t element = dataset.fill.size();
    if (element == 0) std::fill(out.begin(), out.end(), std::byte{0});
    for (size_t i = 0; element > 0 && i < out.size(); i += element)
      std::memcpy(out.data() + i, dataset.fill.data(), element);
    if (layout.kind == LayoutKind::kChunked)
      WHIT_RETURN_IF_ERROR(ReadHdf5Chunks(reader, dataset, out));
  }
  if (dataset.type.big_endian) {
    const size_t parts = IsComplex(dataset.type.type) ? 2 : 1;
    SwapParts(out, dataset.type.size / parts);
  }
  return Hdf5Bytes(*scratch);
}

}  // namespace whit::tools
