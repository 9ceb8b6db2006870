// What matched between a graph and a file of weights, and what did not: for people and for JSON.
#ifndef WHIT_TOOLS_IMPORT_WEIGHT_MATCHES_H_
#define WHIT_TOOLS_IMPORT_WEIGHT_MATCHES_H_

#include <string>
#include <vector>

namespace whit::tools {

/// One line of the account. Shapes are "16x3x3x3"; empty where there is none.
struct MatchedTensor {
  std::string name;    // in the graph
  std::string source;  // in the file
  std::string shape, type;
};
struct MissingTensor {
  std::string name;
  std::string expected;  // shape
};
struct MisshapenTensor {
  std::string name, source;
  std::string expected, found;
};
/// A layer that became the constants of a product (graft.h). Names of the file, but the first.
struct GraftedLayer {
  std::string name;           // the product's weights in the graph
  std::string source;         // the kernel, or empty
  std::string normalization;  // the mean of the normalization in it, or empty
  std::string by;             // what told that they belong together: "name", "value", "shape"
  double difference = 0;      // largest, to the constants that the graph had
};
struct WeightMatches {
  std::string prefix;  // what the file's names have in front of the graph's
  std::vector<MatchedTensor> matched;
  std::vector<MissingTensor> missing;
  std::vector<MisshapenTensor> misshapen;
  std::vector<GraftedLayer> grafted;
  std::vector<std::string> untold;   // products of the graph that several layers could be meant for
  std::vector<MissingTensor> kept;   // float constants of a graph file that the weights do not have
  std::vector<MatchedTensor> extra;  // of the model's part of the file, but not of the graph
  std::vector<MatchedTensor> ignored;  // of no use to inference, or outside of the model's part
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHT_MATCHES_H_
