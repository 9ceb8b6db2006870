// The datasets of an HDF5 file, as Keras and h5py write them.
//
// Names are paths without the first slash, "model_weights/conv2d/conv2d/kernel:0". Where a group
// says in which order its layers or weights come (the attributes layer_names and weight_names of
// Keras), they are listed so, else as the file has them. The text attributes of the root and of
// the groups in it are the metadata.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "tools/import/weights/entry_names.h"
#include "tools/import/weights/formats.h"
#include "tools/import/weights/hdf5_dataset.h"
#include "tools/import/weights/hdf5_group.h"
#include "tools/import/weights/inflate.h"

namespace whit::tools {

namespace {

// Bytes of structure that may be visited: all of the file a few times over, for trees that share
// blocks.
uint64_t WorkFor(uint64_t file_bytes) { return 8 * file_bytes + (1 << 20); }

class Hdf5Weights : public WeightFile {
 public:
  Status Open(WeightSource source) {
    limits_ = source.limits;
    mapping_ = std::move(source.file);
    const uint64_t work = std::min(WorkFor(mapping_.size()), limits_.header_bytes);
    auto reader = Hdf5Reader::Open(mapping_.bytes(), work);
    if (!reader.ok()) return reader.status();
    reader_.emplace(*reader);
    // What is stored as such is in the file once.
    bytes_left_ = MostInflated(mapping_.size());
    format_ = "HDF5";
    WHIT_RETURN_IF_ERROR(ListGroups());
    Sort();
    return OkStatus();
  }

  Result<std::span<const std::byte>> ReadElements(size_t i,
                                                  std::vector<std::byte>* scratch) const override {
    const TensorEntry& entry = tensors_[i];
    Hdf5Reader reader = reader_->WithWork(WorkFor(mapping_.size()));
    auto elements = ReadHdf5Elements(reader, datasets_[i], scratch);
    if (!elements.ok()) return Status(elements.status()).WithContext(entry.name);
    return elements;
  }

 private:
  struct Place {
    std::string path;  // without a slash at either end
    uint64_t address;
    int depth;
  };

  // Walks from the root, each object once, in the order of the links.
  Status ListGroups() {
    std::vector<Place> stack{{"", reader_->root(), 0}};
    std::unordered_set<uint64_t> seen;
    while (!stack.empty()) {
      const Place place = std::move(stack.back());
      stack.pop_back();
      if (!seen.insert(place.address).second) continue;
      if (seen.size() > 2 * limits_.tensors)
        return Status(StatusCode::kOverBudget,
                      "more than " + std::to_string(2 * limits_.tensors) + " groups and datasets");
      std::vector<Hdf5Link> links;
      Status status = Visit(place, &links);
      if (!status.ok()) return std::move(status).WithContext("/" + place.path);
      for (size_t k = links.size(); k-- > 0;) {
        std::string path = place.path.empty() ? links[k].name : place.path + "/" + links[k].name;
        if (path.size() > limits_.name_bytes) {
          return Status(StatusCode::kOverBudget,
                        "a path has " + std::to_string(path.size()) + " bytes, at most " +
                            std::to_string(limits_.name_bytes) + " are taken");
        }
        WHIT_RETURN_IF_ERROR(reader_->Charge(path.size()));
        stack.push_back({std::move(path), links[k].address, place.depth + 1});
      }
    }
    return OkStatus();
  }

  Status Visit(const Place& place, std::vector<Hdf5Link>* links) {
    WHIT_ASSIGN_OR_RETURN(const Hdf5Object object, ReadHdf5Object(*reader_, place.address));
    bool is_dataset = false;
    WHIT_ASSIGN_OR_RETURN(Hdf5Dataset dataset, ReadHdf5Dataset(*reader_, object, &is_dataset));
    if (is_dataset) return Add(place.path, std::move(dataset));
    WHIT_RETURN_IF_ERROR(ReadAttributes(place, object));
    WHIT_ASSIGN_OR_RETURN(*links, ReadHdf5Links(*reader_, object));
    return OkStatus();
  }

  Status ReadAttributes(const Place& place, const Hdf5Object& group) {
    WHIT_ASSIGN_OR_RETURN(const auto attributes, ReadHdf5Attributes(*reader_, group));
    for (const Hdf5Attribute& attribute : attributes) {
      // Long lists are spread over weight_names0, weight_names1 and so on.
      const bool layers = attribute.name.starts_with("layer_names");
      if (layers || attribute.name.starts_with("weight_names")) {
        WHIT_ASSIGN_OR_RETURN(const auto names, Hdf5Strings(*reader_, heaps_, attribute));
        for (const std::string& name : names) {
          const std::string path = place.path.empty() ? name : place.path + "/" + name;
          ranks_[layers ? kLayers : kWeights].emplace(path, ranks_[layers ? 0 : 1].size());
        }
      } else if (place.depth <= 1 && attribute.space.elements() == 1) {
        WHIT_ASSIGN_OR_RETURN(const auto text, Hdf5Strings(*reader_, heaps_, attribute));
        const std::string group_path = place.path.empty() ? "" : place.path + "/";
        if (!text.empty())
          metadata_.emplace_back(ToUtf8(group_path + attribute.name), ToUtf8(text[0]));
      }
    }
    return OkStatus();
  }

  Status Add(const std::string& path, Hdf5Dataset dataset) {
    TensorEntry entry;
    entry.name = names_.Take(path, "the root");
    entry.type = dataset.type.type;
    entry.refused = dataset.refused;
    for (uint64_t d : dataset.space.dims) entry.shape.push_back(static_cast<int64_t>(d));
    if (dataset.space.null) entry.shape = {0};
    WHIT_RETURN_IF_ERROR(CheckEntry(entry, tensors_.size(), limits_));
    if (entry.refused.empty()) {
      if (entry.bytes() > limits_.tensor_bytes || entry.bytes() > bytes_left_) {
        entry.refused = std::to_string(entry.bytes()) + " bytes are more than a file of " +
                        std::to_string(mapping_.size()) + " can hold or than are read at once";
      } else {
        bytes_left_ -= entry.bytes();
      }
    }
    order_.push_back(tensors_.size());
    paths_.push_back(path);
    tensors_.push_back(std::move(entry));
    datasets_.push_back(std::move(dataset));
    return OkStatus();
  }

  // The layer's place, then the weight's: those that have one come in that order, where the first
  // of them was.
  void Sort() {
    const auto rank = [this](Names names, const std::string& path) {
      const auto found = ranks_[names].find(path);
      return found == ranks_[names].end() ? ranks_[names].size() : found->second;
    };
    // Layers rank by the longest prefix of the path that is one.
    const auto layer = [&](const std::string& path) {
      for (size_t end = path.rfind('/'); end != std::string::npos && end > 0;
           end = path.rfind('/', end - 1)) {
        const size_t found = rank(kLayers, path.substr(0, end));
        if (found < ranks_[kLayers].size()) return found;
      }
      return ranks_[kLayers].size();
    };
    std::vector<std::pair<size_t, size_t>> keys;
    for (const std::string& path : paths_) keys.emplace_back(layer(path), rank(kWeights, path));
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    std::vector<TensorEntry> tensors;
    std::vector<Hdf5Dataset> datasets;
    for (size_t i : order_) {
      tensors.push_back(std::move(tensors_[i]));
      datasets.push_back(std::move(datasets_[i]));
    }
    tensors_ = std::move(tensors);
    datasets_ = std::move(datasets);
  }

  enum Names : uint8_t { kLayers, kWeights };

  WeightLimits limits_;
  std::optional<Hdf5Reader> reader_;  // its allowance is for opening
  uint64_t bytes_left_ = 0;           // that the listed tensors may have together
  Hdf5GlobalHeaps heaps_;
  EntryNames names_;
  std::vector<Hdf5Dataset> datasets_;  // of each entry
  std::vector<std::string> paths_;     // the same, until they are sorted
  std::vector<size_t> order_;
  std::unordered_map<std::string, size_t> ranks_[2];  // paths that attributes list
};

}  // namespace

bool ClaimsHdf5(std::span<const std::byte> file) {
  return Hdf5Reader::FindSuperblock(file) != Hdf5Reader::kUndefined;
}

Result<std::unique_ptr<WeightFile>> OpenHdf5Weights(WeightSource source) {
  auto file = std::make_unique<Hdf5Weights>();
  WHIT_RETURN_IF_ERROR(file->Open(std::move(source)));
  return std::unique_ptr<WeightFile>(std::move(file));
}

}  // namespace whit::tools
