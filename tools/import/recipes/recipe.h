// Recipes: architectures whose weights are published without a graph. A recipe is a function that
// builds the graph with GraphBuilder and asks for its weights by the names of the framework they
// come from; every size that the shapes of the weights tell comes from there.
#ifndef WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_
#define WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_

#include <map>
#include <optional>
#include <span>
#include <string>

#include "tools/import/graph_builder.h"
#include "tools/import/named_weights.h"

namespace whit::tools {

/// A number that the weights do not tell.
struct RecipeOption {
  const char* name;
  int64_t value;  // where nothing is said; below 0: none, so it must be given
  const char* help;
};

/// The numbers of one import.
class RecipeValues {
 public:
  /// kInvalidArgument for a name that the recipe does not have.
  static Result<RecipeValues> Of(std::span<const RecipeOption> options,
                                 const std::map<std::string, int64_t>& given);
  int64_t operator[](const std::string& name) const { return values_.at(name); }
  /// The number that the name given for the recipe ends in ("resnet34": 34), or 0.
  int64_t number = 0;

 private:
  std::map<std::string, int64_t> values_;
};

struct Recipe {
  const char* name;     // "resnet"
  const char* aliases;  // further names, separated by spaces: "resnet18 resnet34"
  const char* help;     // one line: what it is, whose names
  std::span<const RecipeOption> options;
  /// Adds inputs, nodes and outputs. Errors stay in `g`, mismatches in `weights`.
  void (*build)(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
};

/// All recipes, one row each; the functions lie in recipes/<name>.cc.
std::span<const Recipe> Recipes();
/// The recipe of that name or alias, or null.
const Recipe* FindRecipe(const std::string& name);

struct RecipeRequest {
  std::string recipe;
  std::map<std::string, int64_t> options;
  NamedWeights::Rename rename;
  bool allow_extra = false;
  ImportOptions import;
};

/// Builds the graph of a recipe over `file`. `matches` is filled whether it succeeds or not.
Result<std::vector<std::byte>> ImportRecipeBytes(const WeightFile& file,
                                                 const RecipeRequest& request, ImportReport* report,
                                                 WeightMatches* matches);
/// The same from path to path; nothing is left behind where it fails.
Status ImportRecipe(const std::string& weights_path, const std::string& out_path,
                    const RecipeRequest& request, ImportReport* report, WeightMatches* matches);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_
