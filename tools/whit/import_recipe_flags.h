// `whit import --graph RECIPE --weights FILE`: an architecture by name, weights of any framework.
#ifndef WHIT_TOOLS_WHIT_IMPORT_RECIPE_FLAGS_H_
#define WHIT_TOOLS_WHIT_IMPORT_RECIPE_FLAGS_H_

#include <string>
#include <vector>

#include "platform/status.h"
#include "tools/import/import.h"

namespace whit::tools {

struct RecipeFlags {
  std::string graph, weights;
  std::vector<std::string> settings;  // NAME=NUMBER
  std::vector<std::string> renames;   // rules (rename.h)
  double epsilon = -1;                // below 0: not said
  bool allow_extra = false, json = false;
};

/// Imports to `out` and prints what matched and what did not, as text or as one JSON object.
Status RunRecipe(const RecipeFlags& flags, const ImportOptions& options, const std::string& out,
                 bool quiet);

/// One line a recipe, for --help.
std::string RecipeList();

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_IMPORT_RECIPE_FLAGS_H_
