// whit sign: a signature over every byte of a model, into its trust section.
#include <cstdio>
#include <filesystem>

#include "platform/mapping.h"
#include "schema/file_parts.h"
#include "tools/whit/command.h"
#include "tools/whit/key_file.h"
#include "tools/whit/manifest.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

struct SignFlags {
  std::string file, key, out, manifest;
  bool json = false;
};

Status WriteManifest(const SignFlags& flags, const std::string& out, const SigningKey& key) {
  WHIT_ASSIGN_OR_RETURN(const Mapping written, Mapping::MapFile(out));
  const std::string name = std::filesystem::path(out).filename();
  const std::string text = ManifestOf(name, written.bytes(), key).dump() + "\n";
  const std::span<const std::byte> chunk = std::as_bytes(std::span(text));
  return WriteFileAtomically(flags.manifest, {&chunk, 1});
}

Status RunSign(const SignFlags& flags) {
  WHIT_RETURN_IF_ERROR(NeedCrypto());
  WHIT_ASSIGN_OR_RETURN(const SigningKey key, ReadSigningKey(flags.key));
  // Nobody's key shall vouch for a damaged file.
  WHIT_ASSIGN_OR_RETURN(const std::shared_ptr<const ModelFile> file, OpenIntact(flags.file));
  fbs::TrustT trust = TrustOf(*file);
  const std::unique_ptr<FileParts> parts = PartsOf(*file);
  WHIT_RETURN_IF_ERROR(parts->Finish(&trust, &key));
  const std::string& out = flags.out.empty() ? flags.file : flags.out;
  WHIT_RETURN_IF_ERROR(WriteFileAtomically(out, parts->chunks));
  if (!flags.manifest.empty()) WHIT_RETURN_IF_ERROR(WriteManifest(flags, out, key));
  const std::string root = ToHex(std::as_bytes(std::span(trust.tree->root))),
                    signer = ToHex(key.public_key());
  if (flags.json) {
    PrintJson({{"file", out},
               {"signer", signer},
               {"root", root},
               {"file_bytes", parts->size},
               {"trust_bytes", parts->trust.size()},
               {"manifest", flags.manifest}});
    return OkStatus();
  }
  std::printf("%s  signed by %s\n  hash tree %s, %s of %s\n", out.c_str(), signer.c_str(),
              root.c_str(), HumanBytes(parts->trust.size()).c_str(),
              HumanBytes(parts->size).c_str());
  return OkStatus();
}

}  // namespace

void AddSign(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<SignFlags>(
      app, action, "sign", "Sign a model, in place: every byte of it, by an Ed25519 key",
      "whit sign mobilenet.whit --key release\n  whit verify mobilenet.whit --pub release.pub",
      RunSign);
  cli->add_option("FILE", flags->file, "A .whit file")->required();
  cli->add_option("--key", flags->key, "The secret key (whit keygen makes one)")->required();
  cli->add_option("-o,--out", flags->out, "Write here, and leave FILE as it is");
  cli->add_option("--manifest", flags->manifest,
                  "Also write a signed statement (OpenSSF model signing, in-toto, DSSE) here");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
