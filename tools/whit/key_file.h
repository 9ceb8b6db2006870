// Keys of `whit sign` and `whit seal` in files of two lines: what it is, and 64 hexadecimal digits.
#ifndef WHIT_TOOLS_WHIT_KEY_FILE_H_
#define WHIT_TOOLS_WHIT_KEY_FILE_H_

#include <memory>
#include <string>

#include "platform/crypto.h"

namespace whit::tools {

/// Writes `path` (mode 0600) and `path`.pub (0644). Neither may exist: a key that was lost is worth
/// more than a command that was typed twice.
Status WriteKeyPair(const std::string& path, const SigningKey& key);

/// The secret key of a file. Refused where others than its owner may read it.
Result<SigningKey> ReadSigningKey(const std::string& path);

/// A public key: 64 hexadecimal digits, or a file that WriteKeyPair wrote.
Result<PublicKey> ReadPublicKey(const std::string& path_or_hex);

/// A new key of `whit seal`: `path` (mode 0600), which may not exist.
Status WriteSealKey(const std::string& path, const SealKey& key);
/// Refused where others than its owner may read it. Wiped when the last copy of the pointer goes.
Result<std::shared_ptr<const SealKey>> ReadSealKey(const std::string& path);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_KEY_FILE_H_
