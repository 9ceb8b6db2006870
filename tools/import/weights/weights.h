// Files of named tensors, of any framework: what is in them, and the bytes of one tensor at a time.
// Nothing in a file is ever executed, and any bytes are accepted as input: the result is a list of
// tensors, or a Status that says what is wrong.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_WEIGHTS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/mapping.h"
#include "platform/status.h"
#include "tools/import/weights/element_type.h"

namespace whit::tools {

/// real = scale * (stored - zero_point). Empty: the tensor is not quantized.
struct AffineCodes {
  std::vector<float> scale;         // one, or one an index of `axis`
  std::vector<int64_t> zero_point;  // as many
  int axis = -1;

  bool empty() const { return scale.empty(); }
};

/// One tensor of a file.
struct TensorEntry {
  std::string name;  // UTF-8, unique in its file; nested containers are joined by '.'
  ElementType type = ElementType::kFloat32;
  std::vector<int64_t> shape;  // outermost first, no number below 0; empty: one element
  AffineCodes codes;
  int channel_axis = -1;  // of the output channels, where the file's graph says which; else -1
  std::string refused;    // why its elements cannot be had ("sparse tensor"), or empty

  /// Product of the shape. Readers check that it times the element size stays below 2^62.
  int64_t elements() const;
  uint64_t bytes() const { return static_cast<uint64_t>(elements()) * ElementSize(type); }
  /// "16x3x3x3", "1" for a scalar.
  std::string ShapeText() const;
};

/// Bounds that no honest file meets; a file beyond one is refused before anything is allocated.
struct WeightLimits {
  uint64_t tensors = 1'000'000;
  uint64_t name_bytes = 4096;
  /// Bytes of what describes tensors: a pickle, a JSON header, an index.
  uint64_t header_bytes = uint64_t{256} << 20;
  /// One tensor, uncompressed. Compressed and chunked files can state any size: they are refused
  /// where they state more than this, or more than MostInflated (inflate.h) of what they store.
  uint64_t tensor_bytes = uint64_t{16} << 30;
  /// A deflated file inside of an archive that has to be in memory as long as the archive is open.
  uint64_t unpacked_bytes = uint64_t{4} << 30;
};

/// An open file. Immutable: any number of threads may read it.
class WeightFile {
 public:
  WeightFile() = default;
  WeightFile(WeightFile&&) = default;
  virtual ~WeightFile() = default;

  /// "PyTorch zip", "safetensors".
  const std::string& format() const { return format_; }
  /// In the order of the file.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  /// What the file says of itself, as text: framework, version, metadata.
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }
  /// The tensor of that name, or null.
  const TensorEntry* Find(const std::string& name) const;

  /// Elements of tensor i, row-major and little-endian, tensors()[i].bytes() of them. Points into
  /// the mapped file where they lie there as such, else into *scratch, which is overwritten. The
  /// bytes may be unaligned. kInvalidModel or kUnsupported where they cannot be had.
  Result<std::span<const std::byte>> Read(size_t i, std::vector<std::byte>* scratch) const;
  /// Gives the memory back that bytes of Read() take, where they lie in a mapped file.
  virtual void Drop(std::span<const std::byte> bytes) const { mapping_.Drop(bytes); }

 protected:
  /// Read() of a tensor that is not refused.
  virtual Result<std::span<const std::byte>> ReadElements(
      size_t i, std::vector<std::byte>* scratch) const = 0;

  Mapping mapping_;
  std::string format_;
  std::vector<TensorEntry> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

/// What a reader gets to open. The mapping moves into the WeightFile.
struct WeightSource {
  std::string path;  // for messages, and for what lies beside the file (shards, external data)
  Mapping file;
  WeightLimits limits;
};

/// A format: one row in the table of weights.cc, one file tools/import/weights/<name>.cc.
struct WeightFormat {
  const char* name;
  /// Whether the bytes are of this format. Looks at content alone, never at the path.
  bool (*claims)(std::span<const std::byte> file);
  Result<std::unique_ptr<WeightFile>> (*open)(WeightSource source);
};

/// All formats, in the order in which they are asked.
std::span<const WeightFormat> WeightFormats();

/// Opens a file of any format, by its content. A checkpoint of TensorFlow may be given as its
/// .index, its prefix or a shard. Maps it: a file of any size is listed at once.
Result<std::unique_ptr<WeightFile>> OpenWeights(const std::string& path,
                                                const WeightLimits& limits = {});
/// The same of memory, which must outlive the result. `path` is for messages and siblings.
Result<std::unique_ptr<WeightFile>> OpenWeightBytes(std::span<const std::byte> bytes,
                                                    const std::string& path,
                                                    const WeightLimits& limits = {});

/// Elements of tensor i as float32.
Result<std::vector<float>> ReadFloats(const WeightFile& file, size_t i);

/// For readers: that the name, the shape and the size of an entry keep the limits. `before`: how
/// many entries there are already.
Status CheckEntry(const TensorEntry& entry, size_t before, const WeightLimits& limits);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_WEIGHTS_H_
