// What one import carries from operator to operator, whatever the source format: the graph so far,
// the options and the report, what was packed already, and the budgets.
#ifndef WHIT_TOOLS_IMPORT_STATE_H_
#define WHIT_TOOLS_IMPORT_STATE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tools/import/graph.h"
#include "tools/import/import.h"

namespace whit::tools {

/// A bound on the work, or the memory, that one import may cost. Parts of a source file can be
/// shared, and many operators can read one constant; so a small file could ask for hours.
class Budget {
 public:
  Budget(const char* what, uint64_t limit) : what_(what), limit_(limit), left_(limit) {}

  bool Has(uint64_t units) const { return units <= left_; }
  Status Charge(uint64_t units) {
    if (!Has(units)) {
      return Status(StatusCode::kOverBudget, std::string("the import takes more than ") +
                                                 std::to_string(limit_) + " " + what_);
    }
    left_ -= units;
    return OkStatus();
  }

 private:
  const char* what_;
  uint64_t limit_, left_;
};

/// What all operators of one import share.
struct ImportState {
  Graph graph;
  ImportOptions options;
  ImportReport report;
  std::vector<int> producer;  // per graph tensor: index of the node that writes it, or -1
  std::map<std::pair<const void*, std::string>, int>
      packed;  // weights already packed, by constant and form; the graph keeps the constants alive
  uint64_t folded_bytes = 0;

  // Limits that no honest model meets.
  Budget work{"steps of constant arithmetic", 0};
  Budget memory{"bytes of constants, weights and scales", 0};
};

/// Sets the budgets from the size of the source. Work: about a second of reference kernels. Memory:
/// packing widens float16 twice and pads few channels to 16.
void SetBudgets(ImportState& state, uint64_t source_bytes);

/// Measures what lowering one operator adds to the graph, and charges for it.
class Growth {
 public:
  explicit Growth(const ImportState& state)
      : tensors_(state.graph.tensors.size()), blobs_(state.graph.blobs.size()) {}

  /// Charges constants, scales and blobs that are new since construction, among them those of
  /// `outputs`, tensors that were there before. kOverBudget also where the graph has grown past
  /// what a .whit file takes.
  Status Charge(ImportState& state, std::span<const int> outputs) const;

 private:
  size_t tensors_, blobs_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_STATE_H_
