// whit keygen: a key pair to sign models with, or a key to seal them with.
#include <cstdio>

#include "tools/whit/command.h"
#include "tools/whit/key_file.h"

namespace whit::tools {

namespace {

struct KeygenFlags {
  std::string name;
  bool seal = false;
};

Status RunKeygen(const KeygenFlags& flags) {
  WHIT_RETURN_IF_ERROR(NeedCrypto());
  if (flags.seal) {
    SealKey key;
    FillRandom(key);
    Status status = WriteSealKey(flags.name, key);
    WipeMemory(key);
    WHIT_RETURN_IF_ERROR(status);
    std::printf("%s      secret: seals and opens models\n", flags.name.c_str());
    return OkStatus();
  }
  const SigningKey key = SigningKey::Generate();
  WHIT_RETURN_IF_ERROR(WriteKeyPair(flags.name, key));
  std::printf("%s      secret: signs models; keep it, and keep it to yourself\n%s.pub  %s\n",
              flags.name.c_str(), flags.name.c_str(), ToHex(key.public_key()).c_str());
  return OkStatus();
}

}  // namespace

void AddKeygen(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<KeygenFlags>(
      app, action, "keygen", "Make a key pair for whit sign: NAME, NAME.pub",
      "whit keygen release\n  whit keygen vault --seal", RunKeygen);
  cli->add_option("NAME", flags->name, "File of the secret key; it must not exist")->required();
  cli->add_flag("--seal", flags->seal, "One secret key, for whit seal");
}

}  // namespace whit::tools
