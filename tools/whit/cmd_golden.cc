// whit golden: samples, and digests of what they must give, into a model's trust section.
#include <cstdio>

#include "tools/whit/command.h"
#include "tools/whit/store_golden.h"

namespace whit::tools {

namespace {

struct GoldenFlags {
  std::string file, out, key;
  SampleFlags samples;
  bool json = false;
};

Status RunGolden(const GoldenFlags& flags) {
  const std::string& out = flags.out.empty() ? flags.file : flags.out;
  WHIT_ASSIGN_OR_RETURN(const StoredGolden stored,
                        StoreGolden(flags.file, out, flags.samples, flags.key));
  if (flags.json) {
    PrintJson({{"file", out},
               {"samples", stored.samples},
               {"file_bytes", stored.file_bytes},
               {"trust_bytes", stored.trust_bytes},
               {"signature_dropped", stored.signature_dropped}});
    return OkStatus();
  }
  std::printf("%s  %zu golden sample%s, trust section %s of %s\n", out.c_str(), stored.samples,
              stored.samples == 1 ? "" : "s", HumanBytes(stored.trust_bytes).c_str(),
              HumanBytes(stored.file_bytes).c_str());
  if (stored.signature_dropped)
    std::printf("  its signature did not cover them and is gone: sign it again\n");
  return OkStatus();
}

}  // namespace

void AddGolden(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<GoldenFlags>(
      app, action, "golden",
      "Store samples and digests of their outputs in a model, in place of those it has: the same "
      "bytes, proved on the device",
      "whit golden mobilenet.whit --data photo.jpg\n  whit verify --golden mobilenet.whit",
      RunGolden);
  cli->add_option("FILE", flags->file, "A .whit file with integer outputs")->required();
  flags->samples.AddTo(cli);
  cli->add_option("-o,--out", flags->out, "Write here, and leave FILE as it is");
  cli->add_option("--key", flags->key,
                  "Sign the result; without it a signature that FILE has is dropped");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
