// The graph of a float model turned into one of codes: decides what becomes integer, which tensors
// share a scale, and writes the nodes anew.
#ifndef WHIT_TOOLS_QUANTIZE_QUANTIZER_H_
#define WHIT_TOOLS_QUANTIZE_QUANTIZER_H_

#include <string>
#include <vector>

#include "schema/reader.h"
#include "tools/import/scope.h"
#include "tools/quantize/node_kind.h"
#include "tools/quantize/quantize.h"

namespace whit::tools {

/// Whether a shell pattern matches the name of a node.
bool KeptBy(const std::string& pattern, const std::string& node);

class Quantizer {
 public:
  /// `file` is float; all of it must outlive the quantizer.
  Quantizer(const ModelFile& file, const Calibration& calibration, size_t samples,
            const QuantizeOptions& options)
      : file_(file), calibration_(calibration), samples_(samples), options_(options) {}

  /// The .whit file. `layers` gets one entry a node of the source, without its noise.
  Result<std::vector<std::byte>> Run(std::vector<LayerReport>* layers);

 private:
  // ---- decisions ----
  Status Decide(std::vector<LayerReport>* layers);
  std::string WhyFloat(const GraphNode& node, NodeKind kind) const;
  std::string WhyFloatProduct(GraphNode& node) const;
  bool ComesAsCodes(int tensor) const;
  void Group();
  void SetGroupCodes();

  // ---- the new graph ----
  Status Rewrite();
  Status Keep(GraphNode node);
  Status EmitInteger(GraphNode node, NodeKind kind);
  Status EmitProductOf(Scope& l, GraphNode& node, int x, int out);
  Status EmitTied(Scope& l, GraphNode& node, std::vector<int> in, std::vector<int> out);
  Result<int> Codes(int tensor);  // the int8 version of a tensor
  Result<int> Constant(Scope& l, int tensor, const Affine& codes);
  Result<int> Real(int tensor);  // the float version
  Result<int> NewCodes(int tensor);
  Status SetEnds();
  void Describe();

  GraphTensor& tensor(int t) { return state_.graph.tensors[static_cast<size_t>(t)]; }
  const GraphTensor& tensor(int t) const { return state_.graph.tensors[static_cast<size_t>(t)]; }
  const TensorStats* StatsOf(int tensor) const;
  int Root(int tensor);
  Affine AffineOfTensor(int tensor) { return codes_of_root_[static_cast<size_t>(Root(tensor))]; }

  const ModelFile& file_;
  const Calibration& calibration_;
  const size_t samples_;
  const QuantizeOptions& options_;
  ImportState state_;
  std::vector<GraphNode> nodes_;  // of the source
  std::vector<bool> integer_;     // per node
  std::vector<bool> as_codes_;    // per tensor: an integer node writes it, or it is a model input
  std::vector<int> group_;        // per tensor: union-find
  std::vector<Affine> codes_of_root_;
  std::vector<int> codes_;  // per tensor of the source: its int8 version, or -1
  std::vector<bool> real_;  // per tensor of the source: its float version is written
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_QUANTIZE_QUANTIZER_H_
