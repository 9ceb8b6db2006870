// whit seal, whit unseal: the weights of a model encrypted, and plain again.
#include <cstdio>

#include "platform/mapping.h"
#include "schema/seal.h"
#include "tools/whit/command.h"
#include "tools/whit/key_file.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct SealFlags {
  std::string file, key, out, key_id;
  bool json = false;
};

// What a key is called where nobody gave it a name: enough of a digest to tell two apart.
std::string KeyId(const SealKey& key) {
  const Digest digest = DigestOf("whit key id", 0, key);
  return ToHex(std::span(digest).first<8>());
}

Status Write(const SealFlags& flags, const ModelFile& file, const ResealedParts& made,
             fbs::TrustT* trust) {
  const bool was_signed = file.has_signature(), sealed = trust->seal != nullptr;
  const std::string key_id = sealed ? trust->seal->key_id : "";
  WHIT_RETURN_IF_ERROR(made.parts->Finish(trust));
  const std::string& out = flags.out.empty() ? flags.file : flags.out;
  WHIT_RETURN_IF_ERROR(WriteFileAtomically(out, made.parts->chunks));
  if (flags.json) {
    PrintJson({{"file", out},
               {"sealed", sealed},
               {"key_id", key_id},
               {"sealed_bytes", sealed ? made.weights.size() : 0},
               {"file_bytes", made.parts->size},
               {"signature_dropped", was_signed}});
    return OkStatus();
  }
  const std::string weights = HumanBytes(made.weights.size());
  if (sealed) {
    std::printf("%s  %s of weights sealed under key '%s'; the graph stays readable\n", out.c_str(),
                weights.c_str(), key_id.c_str());
  } else {
    std::printf("%s  %s of weights, plain\n", out.c_str(), weights.c_str());
  }
  if (was_signed)
    std::printf("  the signature was over other bytes and is gone: whit sign %s --key ...\n",
                out.c_str());
  return OkStatus();
}

Status Run(const SealFlags& flags, bool seal) {
  WHIT_RETURN_IF_ERROR(NeedCrypto());
  WHIT_ASSIGN_OR_RETURN(const std::shared_ptr<const SealKey> key, ReadSealKey(flags.key));
  WHIT_ASSIGN_OR_RETURN(const std::shared_ptr<const ModelFile> file, OpenIntact(flags.file));
  fbs::TrustT trust = TrustOf(*file);
  const std::string id = flags.key_id.empty() ? KeyId(*key) : flags.key_id;
  auto made = seal ? SealWeights(*file, *key, id, &trust) : UnsealWeights(*file, *key, &trust);
  if (!made.ok()) return Status(made.status()).WithContext(flags.file);
  return Write(flags, *file, *made, &trust);
}

Status RunSeal(const SealFlags& flags) { return Run(flags, true); }
Status RunUnseal(const SealFlags& flags) { return Run(flags, false); }

void AddFlags(CLI::App* cli, SealFlags* flags) {
  cli->add_option("FILE", flags->file, "A .whit file")->required();
  cli->add_option("--key", flags->key, "The key (whit keygen --seal makes one)")->required();
  cli->add_option("-o,--out", flags->out, "Write here, and leave FILE as it is");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace

void AddSeal(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<SealFlags>(
      app, action, "seal", "Encrypt a model's weights, in place; it runs with the key",
      "whit seal mobilenet.whit --key vault  (after: whit keygen vault --seal)\n"
      "  whit classify mobilenet.whit photo.jpg --key vault",
      RunSeal);
  AddFlags(cli, flags.get());
  cli->add_option("--key-id", flags->key_id,
                  "What the file calls the key, for whoever looks it up; else a digest of it");
}

void AddUnseal(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<SealFlags>(app, action, "unseal", "Decrypt a sealed model's weights, in place",
                            "whit unseal mobilenet.whit --key vault -o plain.whit", RunUnseal);
  AddFlags(cli, flags.get());
}

}  // namespace whit::tools
