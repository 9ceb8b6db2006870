// The functions of the table in recipe.cc.
#ifndef WHIT_TOOLS_IMPORT_RECIPES_RECIPES_H_
#define WHIT_TOOLS_IMPORT_RECIPES_RECIPES_H_

#include "tools/import/recipes/recipe.h"

namespace whit::tools {

void BuildCifarResNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
void BuildResNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
void BuildMobileNetV2(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
void BuildEfficientNet(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);
void BuildBert(GraphBuilder& g, NamedWeights& weights, const RecipeValues& values);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_RECIPES_RECIPES_H_
