#include "tools/whit/provenance.h"

#include <cstdio>

#include "platform/crypto.h"
#include "runtime/impl.h"
#include "schema/hash_tree.h"

namespace whit::tools {

namespace {

void PrintLine(const std::string& key, const std::string& value) {
  std::printf("%-24s %s\n", Printable(key).c_str(), Printable(value).c_str());
}

}  // namespace

Status PrintProvenance(const Model& model, const std::string& path, bool as_json) {
  const ModelFile& file = *model.impl()->file;
  const ModelInfo info = Describe(model);
  const std::string sha256 = CryptoAvailable() ? ToHex(Sha256Of(file.file())) : "";
  const std::string root = info.has_hash_tree ? ToHex(BytesOf(file.trust()->tree()->root())) : "";
  if (as_json) {
    Json entries = Json::array();
    for (const auto& [key, value] : info.provenance)
      entries.push_back({{"key", key}, {"value", value}});
    PrintJson({{"file", path},
               {"sha256", sha256},
               {"root", root},
               {"signer", info.signer},
               {"golden_samples", info.golden_samples},
               {"entries", entries}});
    return OkStatus();
  }
  for (const auto& [key, value] : info.provenance) PrintLine(key, value);
  if (info.provenance.empty()) std::printf("the file does not say where it comes from\n");
  if (!sha256.empty()) PrintLine("this file's sha256", sha256);
  PrintLine("hash tree", root.empty() ? "none" : root);
  if (info.golden_samples > 0) PrintLine("golden samples", std::to_string(info.golden_samples));
  PrintLine("signed by", info.signer.empty() ? "nobody: all of this is a claim" : info.signer);
  return OkStatus();
}

}  // namespace whit::tools
