#include "tools/import/recipes/recipe.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "platform/mapping.h"
#include "tools/import/recipes/recipes.h"

namespace whit::tools {

namespace {

constexpr RecipeOption kCifarOptions[] = {{"size", 32, "height and width of the picture"}};
constexpr RecipeOption kPictureOptions[] = {{"size", 224, "height and width of the picture"}};
constexpr RecipeOption kBertOptions[] = {
    {"heads", -1, "attention heads", "num_attention_heads"},
    {"sequence", 128, "tokens of the input"},
    {"batch", 1, "sequences of the input"},
};

constexpr Recipe kRecipes[] = {
    {{"cifar_resnet", "resnet20 resnet32 resnet44 resnet56 resnet110 resnet1202",
      "ResNet of 3 stages for small pictures (CIFAR), shortcuts without weights or with",
      kCifarOptions},
     BuildCifarResNet},
    {{"resnet", "resnet18 resnet34 resnet50 resnet101 resnet152",
      "ResNet of 4 stages for ImageNet, torchvision's names; wide and grouped ones too",
      kPictureOptions},
     BuildResNet},
    {{"mobilenet_v2", "", "MobileNetV2, torchvision's names, any width", kPictureOptions},
     BuildMobileNetV2},
    {{"efficientnet",
      "efficientnet_lite0 efficientnet_lite1 efficientnet_lite2 efficientnet_lite3 "
      "efficientnet_lite4 efficientnet_b0 efficientnet_b1",
      "EfficientNet, Lite or not, the names of the PyTorch ports of TensorFlow's (_conv_stem, ...)",
      kPictureOptions},
     BuildEfficientNet},
    {{"bert", "", "BERT encoder, Hugging Face's names: ids, mask and types to last_hidden_state",
      kBertOptions},
     BuildBert},
};

// Digits at the end of a name.
int64_t NumberIn(const std::string& name) {
  int64_t number = 0;
  for (char c : name.substr(name.find_last_not_of("0123456789") + 1))
    number = number * 10 + (c - '0');
  return number;
}

// Options that the file's own metadata state.
std::map<std::string, int64_t> NumbersIn(const WeightFile& file,
                                         std::span<const RecipeOption> options) {
  std::map<std::string, int64_t> found;
  for (const RecipeOption& option : options) {
    for (const auto& [key, text] : file.metadata()) {
      int64_t value = 0;
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, value);
      if (*option.key != 0 && key == option.key && error == std::errc() && stop == end)
        found[option.name] = value;
    }
  }
  return found;
}

bool ListsName(const std::string& list, const std::string& name) {
  return (" " + list + " ").find(" " + name + " ") != std::string::npos;
}

}  // namespace

std::vector<RecipeInfo> ListRecipes() {
  std::vector<RecipeInfo> list;
  for (const Recipe& recipe : kRecipes) list.push_back(recipe.info);
  return list;
}

bool IsRecipe(const std::string& name) { return FindRecipe(name) != nullptr; }

std::span<const RecipeOption> RecipeOptionsOf(const std::string& name) {
  const Recipe* recipe = FindRecipe(name);
  return recipe == nullptr ? std::span<const RecipeOption>() : recipe->info.options;
}

const Recipe* FindRecipe(const std::string& name) {
  for (const Recipe& recipe : kRecipes) {
    const bool alias = !name.empty() && name.find(' ') == std::string::npos &&
                       ListsName(recipe.info.aliases, name);
    if (name == recipe.info.name || alias) return &recipe;
  }
  return nullptr;
}

Result<RecipeValues> RecipeValues::Of(std::span<const RecipeOption> options,
                                      const std::map<std::string, int64_t>& given) {
  RecipeValues values;
  std::string known;
  for (const RecipeOption& option : options) {
    const auto found = given.find(option.name);
    values.values_[option.name] = found == given.end() ? option.value : found->second;
    known += (known.empty() ? "" : ", ") + std::string(option.name);
    if (values.values_[option.name] < 1) {
      return Status(
          StatusCode::kInvalidArgument,
          "the option '" + std::string(option.name) + "' must be given, 1 or more: " + option.help +
              (*option.key == 0 ? std::string()
                                : std::string(" (") + option.key + " of its config.json)"));
    }
  }
  for (const auto& [name, value] : given) {
    if (values.values_.contains(name)) continue;
    return Status(StatusCode::kInvalidArgument,
                  "the recipe has no option '" + Shown(name) + "'; it has " + known);
  }
  return values;
}

Result<std::vector<std::byte>> ImportRecipeBytes(const WeightFile& file,
                                                 const WeightsRequest& request,
                                                 ImportReport* report, WeightMatches* matches) {
  const Recipe* recipe = FindRecipe(request.graph);
  if (recipe == nullptr) {
    std::string known;
    for (const Recipe& r : kRecipes)
      known += (known.empty() ? "" : ", ") + std::string(r.info.name);
    return Status(StatusCode::kInvalidArgument,
                  "no recipe '" + Shown(request.graph) + "'; there are " + known);
  }
  std::map<std::string, int64_t> given = NumbersIn(file, recipe->info.options);
  for (const auto& [name, value] : request.options) given[name] = value;
  WHIT_ASSIGN_OR_RETURN(RecipeValues values, RecipeValues::Of(recipe->info.options, given));
  if (request.graph != recipe->info.name) values.number = NumberIn(request.graph);
  WHIT_ASSIGN_OR_RETURN(NamedWeights weights, NamedWeights::Of(file, request.rename));
  uint64_t bytes_of_weights = 0;  // readers keep each below 2^62 and all of them in a file
  for (const TensorEntry& entry : file.tensors()) bytes_of_weights += entry.bytes();
  GraphBuilder g(request.import, std::min(bytes_of_weights, uint64_t{1} << 40));
  recipe->build(g, weights, values);
  const WeightMatches all = weights.Matches();
  if (matches != nullptr) *matches = all;
  // Where the graph itself has an error, what nobody asked for is its consequence.
  if (all.missing.empty() && all.misshapen.empty()) WHIT_RETURN_IF_ERROR(g.status());
  WHIT_RETURN_IF_ERROR(weights.Check(request.allow_extra));
  g.graph().provenance = {{"tool", "whit import " WHIT_VERSION},
                          {"source.format", file.format()},
                          {"source.recipe", recipe->info.name}};
  auto bytes = g.FinishBytes();
  if (report != nullptr) {
    *report = g.report();
    report->source_operators = g.nodes();
  }
  return bytes;
}

namespace {

// A graph file whose constants take the weights of those names.
Result<std::vector<std::byte>> ImportFileBytes(const WeightFile& file,
                                               const WeightsRequest& request, ImportReport* report,
                                               WeightMatches* matches) {
  constexpr uint64_t kMaxGraphBytes = uint64_t{16} << 30;
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> graph,
                        ReadWholeFile(request.graph, kMaxGraphBytes));
  WHIT_ASSIGN_OR_RETURN(NamedWeights weights, NamedWeights::Of(file, request.rename));
  weights.IgnoreSuffix("num_batches_tracked");
  // The state of an optimizer: Keras 2 and 3, checkpoints of TensorFlow.
  weights.IgnorePrefix("optimizer_weights/");
  weights.IgnorePrefix("optimizer/");
  weights.IgnorePart("/.OPTIMIZER_SLOT/");
  weights.IgnorePrefix("save_counter/");
  ImportOptions options = request.import;
  options.weights = &weights;
  options.folder = std::filesystem::path(request.graph).parent_path().string();
  if (options.folder.empty()) options.folder = ".";
  auto bytes = ImportModelBytes({reinterpret_cast<const uint8_t*>(graph.data()), graph.size()},
                                options, report);
  *matches = weights.Matches();
  if (!bytes.ok()) return Status(bytes.status()).WithContext(request.graph);
  if (matches->matched.empty() && matches->misshapen.empty()) {
    return Status(StatusCode::kInvalidModel,
                  "none of its " + std::to_string(file.tensors().size()) +
                      " tensors has the name of a constant of " + Shown(request.graph));
  }
  WHIT_RETURN_IF_ERROR(weights.Check(request.allow_extra));
  return bytes;
}

}  // namespace

Status ImportWithWeights(const std::string& weights_path, const std::string& out_path,
                         const WeightsRequest& request, ImportReport* report,
                         WeightMatches* matches) {
  WHIT_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, OpenWeights(weights_path));
  WeightsRequest named = request;
  if (named.import.name.empty())
    named.import.name = std::filesystem::path(weights_path).stem().string();
  auto bytes = IsRecipe(request.graph) ? ImportRecipeBytes(*file, named, report, matches)
                                       : ImportFileBytes(*file, named, report, matches);
  if (!bytes.ok()) return Status(bytes.status()).WithContext(weights_path);
  const std::span<const std::byte> chunk(*bytes);
  return WriteFileAtomically(out_path, {&chunk, 1});
}

}  // namespace whit::tools
