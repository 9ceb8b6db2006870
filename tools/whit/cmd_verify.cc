// whit verify: is a file what it claims to be.
#include <cstdio>
#include <cstring>

#include "kernels/pack.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "runtime/check_pages.h"
#include "runtime/impl.h"
#include "runtime/step_pages.h"
#include "schema/hash_tree.h"
#include "tools/whit/open_model.h"
#include "tools/whit/replay_golden.h"

namespace whit::tools {

namespace {

struct VerifyFlags {
  std::string file;
  TrustFlags trust;
  bool golden = false, json = false;
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

// Sealed weights are open, as many as the window holds, while the lease lives.
Result<SealedWeights::Lease> OpenSealed(const Model::Impl& model, size_t weights) {
  if (model.sealed == nullptr) return SealedWeights::Lease();
  std::vector<PageRange> pages;
  for (const BlobView& blob : model.graph.weight_blobs[weights])
    pages.push_back(model.sealed->PagesOf({static_cast<const std::byte*>(blob.data), blob.bytes}));
  return model.sealed->Take(Merged(std::move(pages)), nullptr);
}

Result<std::vector<Difference>> CheckDerived(const Model::Impl& model) {
  std::vector<Difference> out;
  const std::vector<PackedWeights>& all = model.graph.weights;
  for (size_t w = 0; w < all.size(); ++w) {
    const PackedWeights& p = all[w];
    WHIT_ASSIGN_OR_RETURN(const SealedWeights::Lease lease, OpenSealed(model, w));
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

// What the trust section proves, after all of it was checked.
struct TrustFacts {
  bool tree = false;
  uint64_t pages = 0, bytes = 0;
  double seconds = 0;
  std::string signer;  // hexadecimal; empty: nobody
};

Result<TrustFacts> CheckTrust(const Model& model) {
  const ModelFile& file = *model.impl()->file;
  TrustFacts facts;
  if (file.has_signature()) facts.signer = ToHex(BytesOf(file.trust()->signature()->public_key()));
  const PageChecker* pages = model.impl()->pages.get();
  if (pages == nullptr) return facts;
  facts.tree = true;
  const uint64_t before = pages->checked(), start = NowNs();
  WHIT_RETURN_IF_ERROR(CheckAllPages(*pages));
  facts.seconds = static_cast<double>(NowNs() - start) * 1e-9;
  facts.pages = pages->pages();
  facts.bytes = (pages->pages() - before) * pages->page_bytes();
  return facts;
}

void PrintTrust(const TrustFacts& t) {
  if (t.tree) {
    std::printf("hash tree       true: %llu pages, the weights' at %.0f MB/s\n",
                static_cast<unsigned long long>(t.pages),
                static_cast<double>(t.bytes) / t.seconds * 1e-6);
  } else {
    std::printf("hash tree       none: changed weight bytes would not be noticed\n");
  }
  std::printf("signature       %s\n", t.signer.empty() ? "none: the file's origin is not proved"
                                                       : ("true, of " + t.signer).c_str());
}

Status RunVerify(const VerifyFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file, flags.trust));
  auto trust = CheckTrust(opened.model);
  if (!trust.ok()) return Status(trust.status()).WithContext(flags.file);
  const auto& weights = opened.model.impl()->graph.weights;
  WHIT_ASSIGN_OR_RETURN(const std::vector<Difference> differences,
                        CheckDerived(*opened.model.impl()));
  std::vector<GoldenReplay> golden;
  if (flags.golden) {
    auto replays = ReplayEverywhere(opened.model);
    if (!replays.ok()) return Status(replays.status()).WithContext(flags.file);
    golden = std::move(replays).value();
  }
  if (flags.json) {
    Json list = Json::array();
    for (const Difference& d : differences) list.push_back(Describe(d));
    PrintJson({{"file", flags.file},
               {"structure", "valid"},
               {"weight_arrays", weights.size()},
               {"derived_arrays_consistent", differences.empty()},
               {"differences", list},
               {"sealed", opened.model.impl()->sealed != nullptr},
               {"hash_tree", trust->tree},
               {"hash_tree_checked", trust->tree},
               {"pages", trust->pages},
               {"bytes_checked", trust->bytes},
               {"seconds", trust->seconds},
               {"signature", !trust->signer.empty()},
               {"signature_checked", !trust->signer.empty()},
               {"signer", trust->signer},
               {"golden_samples", Describe(opened.model).golden_samples},
               {"golden", flags.golden ? GoldenJson(golden) : Json()}});
  } else {
    std::printf("structure       valid: header, graph, shapes, types, ranges, operators\n");
    std::printf("derived arrays  %s in %zu weight arrays\n",
                differences.empty() ? "consistent" : "NOT consistent", weights.size());
    PrintTrust(*trust);
    if (opened.model.impl()->sealed != nullptr)
      std::printf("sealed          opens with this key: %s\n",
                  HumanBytes(UseOfSealed(opened.model).opened_bytes).c_str());
    PrintGolden(golden);
  }
  if (differences.empty()) return CheckGolden(golden).WithContext(flags.file);
  return Status(StatusCode::kInvalidModel,
                flags.file + ": " + Describe(differences.front()) + " (" +
                    std::to_string(differences.size()) +
                    " derived arrays differ; results would depend on the device)");
}

}  // namespace

void AddVerify(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<VerifyFlags>(app, action, "verify", "Check a model file whole, weights included",
                              "whit verify mobilenet.whit --pub release.pub\n"
                              "  whit verify mobilenet.whit --golden",
                              RunVerify);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx file")->required();
  flags->trust.AddTo(cli);
  cli->add_flag("--golden", flags->golden,
                "Also run the golden samples of the file (whit golden) on every tier of this CPU "
                "and compare bytes");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
