// Tensors of a file of weights, asked for by the names of a graph: what a recipe takes its
// constants from, and the account of what matched and what did not.
#ifndef WHIT_TOOLS_IMPORT_NAMED_WEIGHTS_H_
#define WHIT_TOOLS_IMPORT_NAMED_WEIGHTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/import/graph_builder.h"
#include "tools/import/weight_matches.h"
#include "tools/import/weights/weights.h"

namespace whit::tools {

class NamedWeights {
 public:
  using Rename = std::function<std::string(const std::string&)>;

  /// `file` must outlive this. `rename` turns a name of the file into one of the graph; empty:
  /// none. kInvalidModel where it gives two tensors one name.
  static Result<NamedWeights> Of(const WeightFile& file, const Rename& rename = {});

  /// Finds what stands in front of all names ("state_dict.module."): `anchor` is a name that every
  /// file of the architecture has. The shortest name of the file that ends in it decides.
  void FindPrefix(const std::string& anchor);

  bool Has(const std::string& name) const { return IndexOf(name) >= 0; }
  /// Shape of a tensor; empty where there is none.
  std::vector<int64_t> ShapeOf(const std::string& name) const;

  /// The tensor as a float constant of `g`. -1 in `expected`: any size. Where it is missing or has
  /// another shape or no numbers, that is noted and a failed value returned.
  Value Take(GraphBuilder& g, const std::string& name, const std::vector<int64_t>& expected);

  /// The bytes that a constant of a graph file has here, or null where it keeps its own: there is
  /// no such tensor, or its shape or type is another, which is noted. float32 takes any floating
  /// type, other types their own. Where no prefix is known, the first name that the file has behind
  /// one decides it.
  Result<SharedBytes> Replacement(const std::string& name, DType type, const Shape& shape);

  /// For what is made of several tensors (graft.h). Of tensor i of the file: its name after
  /// renaming, and whether it has its place in the graph.
  const std::string& NameOf(size_t i) const { return names_[i]; }
  bool Taken(size_t i) const { return taken_[i]; }
  /// Notes that tensor i became a part of the constant `name`.
  void TakeFor(size_t i, const std::string& name);
  /// Notes that the graph's constant does not keep its value after all.
  void Replaced(const std::string& name);
  void NoteGraft(GraftedLayer layer) { matches_.grafted.push_back(std::move(layer)); }
  /// Notes a product for which several layers of the file could be meant.
  void NoteUntold(const std::string& name) { matches_.untold.push_back(name); }

  /// Tensors that inference has no use for: names that end in `suffix`, begin with `prefix` or have
  /// `part` in them, counted behind the file's prefix.
  void IgnoreSuffix(const std::string& suffix) { ignored_suffixes_.push_back(suffix); }
  void IgnorePrefix(const std::string& prefix) { ignored_prefixes_.push_back(prefix); }
  void IgnorePart(const std::string& part) { ignored_parts_.push_back(part); }

  /// The account so far, what nobody took included.
  WeightMatches Matches() const;
  /// kInvalidModel with every tensor that is missing, misshapen or, unless allowed, extra.
  Status Check(bool allow_extra) const;

  const WeightFile& file() const { return *file_; }

 private:
  explicit NamedWeights(const WeightFile& file) : file_(&file) {}
  int IndexOf(const std::string& name) const;

  const WeightFile* file_;
  std::vector<std::string> names_;                // of the graph, one an entry of the file
  std::unordered_map<std::string, int> by_name_;  // into the file
  std::string prefix_;
  std::vector<bool> taken_;
  bool anchored_ = false;  // prefix_ is decided
  std::vector<std::string> ignored_suffixes_, ignored_prefixes_, ignored_parts_;
  WeightMatches matches_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_NAMED_WEIGHTS_H_
