// Keys of `whit sign` in files of two lines: what it is, and 64 hexadecimal digits.
#ifndef WHIT_TOOLS_WHIT_KEY_FILE_H_
#define WHIT_TOOLS_WHIT_KEY_FILE_H_

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

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_KEY_FILE_H_
