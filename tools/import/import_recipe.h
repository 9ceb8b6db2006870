// Weights of any framework and a graph, by the name of its architecture or from a file, to .whit.
#ifndef WHIT_TOOLS_IMPORT_IMPORT_RECIPE_H_
#define WHIT_TOOLS_IMPORT_IMPORT_RECIPE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tools/import/import.h"
#include "tools/import/weight_matches.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {

/// A number that the weights do not tell.
struct RecipeOption {
  const char* name;
  int64_t value;  // where nothing is said; below 0: none, so it must be given
  const char* help;
  const char* key = "";  // what metadata of the weights, or a config.json, call it
};

/// One architecture, for people.
struct RecipeInfo {
  const char* name;     // "resnet"
  const char* aliases;  // further names, separated by spaces: "resnet18 resnet34"
  const char* help;     // one line: what it is, whose names its weights have
  std::span<const RecipeOption> options;
};
std::vector<RecipeInfo> ListRecipes();
/// Whether there is a recipe of that name or alias.
bool IsRecipe(const std::string& name);
/// Its options; none where there is no such recipe.
std::span<const RecipeOption> RecipeOptionsOf(const std::string& name);

struct WeightsRequest {
  /// A recipe's name or alias (the number of an alias must be true of the weights), or the path of
  /// a graph file whose constants take the weights of their names and keep their own where there
  /// are none.
  std::string graph;
  std::map<std::string, int64_t> options;                 // of a recipe
  std::function<std::string(const std::string&)> rename;  // a name of the file to one of the graph
  bool allow_extra = false;  // leave out tensors that the graph does not have
  ImportOptions import;
};

/// Builds a recipe's graph over `file`. `matches` is filled whether it succeeds or not.
/// kInvalidArgument: no such recipe or option. kInvalidModel: one message with every tensor that is
/// missing, extra or of another shape.
Result<std::vector<std::byte>> ImportRecipeBytes(const WeightFile& file,
                                                 const WeightsRequest& request,
                                                 ImportReport* report, WeightMatches* matches);
/// From a recipe or a graph file, and weights, to `out_path`; nothing is left behind where it
/// fails.
Status ImportWithWeights(const std::string& weights_path, const std::string& out_path,
                         const WeightsRequest& request, ImportReport* report,
                         WeightMatches* matches);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_IMPORT_RECIPE_H_
