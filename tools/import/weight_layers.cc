#include "tools/import/weight_layers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>

namespace whit::tools {

namespace {

using Json = nlohmann::json;

// What a tensor is to its layer. Keras 3 numbers the tensors of a layer.
enum Role : uint8_t {
  kKernel,
  kDepthwiseKernel,
  kPointwiseKernel,
  kWeight,  // PyTorch: of a product the kernel, of a normalization gamma
  kBias,    // of a normalization beta
  kGamma,
  kBeta,
  kMean,
  kVariance,
  kFirst,
  kSecond,
  kThird,
  kFourth,
  kRoles
};

Role RoleOf(std::string_view leaf) {
  static constexpr std::pair<std::string_view, Role> kNames[] = {
      {"kernel", kKernel},
      {"depthwise_kernel", kDepthwiseKernel},
      {"pointwise_kernel", kPointwiseKernel},
      {"weight", kWeight},
      {"bias", kBias},
      {"gamma", kGamma},
      {"beta", kBeta},
      {"moving_mean", kMean},
      {"running_mean", kMean},
      {"moving_variance", kVariance},
      {"running_var", kVariance},
      {"0", kFirst},
      {"1", kSecond},
      {"2", kThird},
      {"3", kFourth},
  };
  for (const auto& [name, role] : kNames) {
    if (leaf == name) return role;
  }
  return kRoles;
}

// Tensors of one layer, -1 where it has none of that role.
struct Group {
  std::string name, path;
  int of[kRoles];
  bool numbered = false;
  bool has(Role role) const { return of[role] >= 0; }
};

// "net/conv2d/kernel:0": {"net/conv2d", "kernel"}.
std::pair<std::string_view, std::string_view> SplitName(std::string_view name) {
  constexpr std::string_view kCheckpoint = "/.ATTRIBUTES/VARIABLE_VALUE";
  if (name.ends_with(kCheckpoint)) name.remove_suffix(kCheckpoint.size());
  const size_t colon = name.rfind(':');
  if (colon != std::string_view::npos) name = name.substr(0, colon);
  const size_t cut = name.find_last_of("/.");
  if (cut == std::string_view::npos) return {"", name};
  std::string_view layer = name.substr(0, cut);
  constexpr std::string_view kKeras3 = "/vars";  // "layers/conv2d/vars/0"
  if (layer.ends_with(kKeras3)) layer.remove_suffix(kKeras3.size());
  return {layer, name.substr(cut + 1)};
}

std::vector<Group> GroupsOf(const NamedWeights& weights) {
  std::vector<Group> groups;
  std::unordered_map<std::string, size_t> by_prefix;
  for (size_t i = 0; i < weights.file().tensors().size(); ++i) {
    const TensorEntry& entry = weights.file().tensors()[i];
    const auto [prefix, leaf] = SplitName(weights.NameOf(i));
    const Role role = RoleOf(leaf);
    const bool usable = entry.refused.empty() && IsFloating(entry.type) && entry.codes.empty();
    if (role == kRoles || !usable || weights.Taken(i)) continue;
    const auto [at, fresh] = by_prefix.try_emplace(std::string(prefix), groups.size());
    if (fresh) {
      Group& group = groups.emplace_back();
      group.name = prefix.substr(prefix.rfind('/') + 1), group.path = prefix;
      std::fill_n(group.of, static_cast<size_t>(kRoles), -1);
    }
    groups[at->second].of[role] = static_cast<int>(i);
    groups[at->second].numbered |= role >= kFirst;
  }
  return groups;
}

// Epsilon of every BatchNormalization that the configuration of a Keras model has, by layer.
std::unordered_map<std::string, double> KerasEpsilons(const WeightFile& file) {
  std::unordered_map<std::string, double> found;
  for (const auto& [key, text] : file.metadata()) {
    if (key != "model_config") continue;
    const Json config = Json::parse(text, nullptr, false);
    std::vector<const Json*> stack = {&config};  // models may lie in models
    while (!stack.empty()) {
      const Json& at = *stack.back();
      stack.pop_back();
      if (at.is_object() && at.contains("epsilon") && at.contains("name") &&
          at["epsilon"].is_number() && at["name"].is_string()) {
        found.emplace(at["name"].get<std::string>(), at["epsilon"].get<double>());
      }
      if (!at.is_structured()) continue;
      for (const Json& part : at) stack.push_back(&part);
    }
  }
  return found;
}

// "BatchNormalization": "batch_normalization", "Conv2D": "conv2d", as Keras calls the folders of
// its layers.
std::string FolderOfClass(const std::string& name) {
  const auto is = [&](size_t i, char first, char last) {
    return i < name.size() && name[i] >= first && name[i] <= last;
  };
  std::string folder;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool capital = is(i, 'A', 'Z');
    if (i > 0 && capital && (is(i + 1, 'a', 'z') || is(i - 1, 'a', 'z'))) folder += '_';
    folder += capital ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return folder;
}

struct KerasLayer {
  std::string name;
  std::optional<double> epsilon;
};

// The layers of a Keras 3 model by their folder: the class, and from the second one on its number,
// inside of the folder of the model that they are part of.
class KerasFolders {
 public:
  explicit KerasFolders(const WeightFile& file) {
    for (const auto& [key, text] : file.metadata()) {
      if (key == "model_config") Read(Json::parse(text, nullptr, false));
    }
  }
  /// Null where the file says nothing of it.
  const KerasLayer* Find(const std::string& folder) const {
    const auto found = layers_.find(folder);
    return found == layers_.end() ? nullptr : &found->second;
  }

 private:
  // A path that is longer is of no honest model, and would make nested ones cost their square.
  static constexpr size_t kMostPath = 1024;

  void Read(const Json& model) {
    const Json* config = Member(model, "config");
    if (config != nullptr) pending_.push_back({config, ""});
    while (!pending_.empty()) {
      const auto [at, prefix] = std::move(pending_.back());
      pending_.pop_back();
      const Json* layers = Member(*at, "layers");
      std::unordered_map<std::string, size_t> uses;
      for (size_t i = 0; layers != nullptr && layers->is_array() && i < layers->size(); ++i)
        Add((*layers)[i], prefix, &uses);
    }
  }

  void Add(const Json& layer, const std::string& prefix,
           std::unordered_map<std::string, size_t>* uses) {
    const Json *type = Member(layer, "class_name"), *config = Member(layer, "config");
    if (type == nullptr || !type->is_string() || config == nullptr) return;
    std::string path = prefix + "layers/" + FolderOfClass(type->get<std::string>());
    const size_t before = (*uses)[path]++;
    if (before > 0) path += "_" + std::to_string(before);
    if (path.size() > kMostPath) return;
    KerasLayer known;
    const Json *name = Member(*config, "name"), *epsilon = Member(*config, "epsilon");
    if (name != nullptr && name->is_string()) known.name = name->get<std::string>();
    if (epsilon != nullptr && epsilon->is_number()) known.epsilon = epsilon->get<double>();
    pending_.push_back({config, path + "/"});
    layers_.emplace(std::move(path), std::move(known));
  }

  static const Json* Member(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  std::vector<std::pair<const Json*, std::string>> pending_;
  std::unordered_map<std::string, KerasLayer> layers_;
};

// Keras 3 names no tensor: what they are follows from how many there are and of which rank.
void NameNumbered(const NamedWeights& weights, Group* group) {
  const auto rank = [&](Role role) {
    if (!group->has(role)) return size_t{0};
    return weights.file().tensors()[static_cast<size_t>(group->of[role])].shape.size();
  };
  const auto rename = [&](Role from, Role to) { std::swap(group->of[from], group->of[to]); };
  const bool separable = rank(kFirst) > 1 && rank(kSecond) > 1;
  if (separable) {
    rename(kFirst, kDepthwiseKernel), rename(kSecond, kPointwiseKernel), rename(kThird, kBias);
  } else if (rank(kFirst) > 1 && !group->has(kThird)) {
    // Its folder is called by the layer's class.
    rename(kFirst, group->name.find("depthwise") == std::string::npos ? kKernel : kDepthwiseKernel);
    rename(kSecond, kBias);
  } else if (rank(kFirst) == 1 && rank(kFourth) == 1) {
    rename(kFirst, kGamma), rename(kSecond, kBeta), rename(kThird, kMean);
    rename(kFourth, kVariance);
  }
}

}  // namespace

WeightLayers LayersOf(const NamedWeights& weights, std::optional<double> epsilon) {
  // The defaults of torch.nn.BatchNorm2d and keras.layers.BatchNormalization.
  constexpr double kTorchEpsilon = 1e-5, kKerasEpsilon = 1e-3;
  const auto stated = KerasEpsilons(weights.file());
  const KerasFolders folders(weights.file());
  WeightLayers layers;
  for (Group& group : GroupsOf(weights)) {
    std::optional<double> own;
    if (group.numbered) {
      NameNumbered(weights, &group);
      // The folder is called by the class and a number of the file's own: no name.
      const KerasLayer* known = folders.Find(group.path);
      group.name = known != nullptr ? known->name : "";
      if (known != nullptr) own = known->epsilon;
    } else if (const auto found = stated.find(group.name); found != stated.end()) {
      own = found->second;
    }
    const auto& of = group.of;
    if (group.has(kMean) && group.has(kVariance)) {
      const bool torch = group.has(kWeight) || group.has(kBias);
      NormLayer norm{group.name, of[torch ? kWeight : kGamma], of[torch ? kBias : kBeta], of[kMean],
                     of[kVariance]};
      norm.epsilon = epsilon ? *epsilon : own ? *own : torch ? kTorchEpsilon : kKerasEpsilon;
      layers.norms.push_back(std::move(norm));
      continue;
    }
    if (group.has(kDepthwiseKernel)) {
      const int bias = group.has(kPointwiseKernel) ? -1 : of[kBias];
      layers.kernels.push_back({group.name, of[kDepthwiseKernel], bias, KernelOrder::kDepthwise});
    }
    for (const Role role : {kPointwiseKernel, kKernel, kWeight}) {
      if (!group.has(role)) continue;
      const bool torch = role == kWeight;
      layers.kernels.push_back({group.name, of[role], of[kBias],
                                torch ? KernelOrder::kOutputFirst : KernelOrder::kOutputLast});
    }
  }
  return layers;
}

}  // namespace whit::tools
