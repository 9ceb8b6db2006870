// Recipes: architectures whose weights are published without a graph. A recipe is a function that
// builds the graph with GraphBuilder and asks for its weights by the names of the framework they
// come from; every size that the shapes of the weights tell comes from there.
#ifndef WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_
#define WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_

#include <map>
#include <span>
#include <string>

#include "tools/import/graph_builder.h"
#include "tools/import/import_recipe.h"
#include "tools/import/named_weights.h"

namespace whit::tools {

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
  RecipeInfo info;
  /// Adds inputs, nodes and outputs. Errors stay in `g`, mismatches in `weights`.
  void (*build)(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
};

/// The recipe of that name or alias, or null. The table is in recipe.cc, the functions lie in
/// recipes/<name>.cc.
const Recipe* FindRecipe(const std::string& name);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_RECIPES_RECIPE_H_
