// whit verify: is a file what it claims to be.
#include <cstdio>
#include <cstring>

#include "kernels/pack.h"
#include "runtime/impl.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct VerifyFlags {
  std::string file;
  bool json = false;
};

// Where a stored derived array differs from what follows from the packed bytes.
struct Difference {
  size_t weights;
  std::string array;
  size_t index;
  int64_t stored, expected;
};

template <typename T>
void Compare(size_t weights, const char* array, const T* stored, const std::vector<T>& expected,
             std::vector<Difference>* out) {
  for (size_t i = 0; stored != nullptr && i < expected.size(); ++i) {
    if (stored[i] == expected[i]) continue;
    out->push_back({weights, array, i, stored[i], expected[i]});
    return;  // the first of an array says enough
  }
}

std::vector<Difference> CheckDerived(const std::vector<PackedWeights>& all) {
  std::vector<Difference> out;
  for (size_t w = 0; w < all.size(); ++w) {
    const PackedWeights& p = all[w];
    const bool panel = p.layout == PackedWeights::Layout::kPanel16I8;
    if (panel || p.layout == PackedWeights::Layout::kDw16I8)
      Compare(w, "sums", p.sums, ComputeSums(p), &out);
    if (!panel) continue;
    Compare(w, "limits", p.limits, ComputeLimits(p), &out);
    Compare(w, "pair_flags", p.pair_flags, ComputePairFlags(p), &out);
  }
  return out;
}

std::string Describe(const Difference& d) {
  return "weights " + std::to_string(d.weights) + ": " + d.array + "[" + std::to_string(d.index) +
         "] is " + std::to_string(d.stored) + ", the weights give " + std::to_string(d.expected);
}

Status RunVerify(const VerifyFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file));
  const auto& weights = opened.model.impl()->graph.weights;
  const std::vector<Difference> differences = CheckDerived(weights);
  const ModelInfo info = whit::Describe(opened.model);
  if (flags.json) {
    Json list = Json::array();
    for (const Difference& d : differences) list.push_back(Describe(d));
    PrintJson({{"file", flags.file},
               {"structure", "valid"},
               {"weight_arrays", weights.size()},
               {"derived_arrays_consistent", differences.empty()},
               {"differences", list},
               {"hash_tree", info.has_hash_tree},
               {"hash_tree_checked", false},
               {"signature", info.has_signature},
               {"signature_checked", false}});
  } else {
    std::printf("structure       valid: header, graph, shapes, types, ranges, operators\n");
    std::printf("derived arrays  %s in %zu weight arrays\n",
                differences.empty() ? "consistent" : "NOT consistent", weights.size());
    std::printf("hash tree       %s\n", info.has_hash_tree
                                            ? "there, not checked by this build"
                                            : "none: changed weight bytes would not be noticed");
    std::printf("signature       %s\n", info.has_signature
                                            ? "there, not checked by this build"
                                            : "none: the file's origin is not proved");
  }
  if (differences.empty()) return OkStatus();
  return Status(StatusCode::kInvalidModel,
                flags.file + ": " + Describe(differences.front()) + " (" +
                    std::to_string(differences.size()) +
                    " derived arrays differ; results would depend on the device)");
}

}  // namespace

void AddVerify(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<VerifyFlags>(app, action, "verify", "Check a model file whole, weights included",
                              "whit verify mobilenet.whit", RunVerify);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
