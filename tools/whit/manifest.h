// What `whit sign --manifest` writes: a signed statement about a file beside it.
#ifndef WHIT_TOOLS_WHIT_MANIFEST_H_
#define WHIT_TOOLS_WHIT_MANIFEST_H_

#include <string>

#include "platform/crypto.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// An in-toto statement (version 1) with the predicate of OpenSSF model signing, which lists the
/// file `name` with its SHA-256, in a DSSE envelope signed with `key` (Ed25519; keyid: the public
/// key in hexadecimal).
Json ManifestOf(const std::string& name, std::span<const std::byte> file, const SigningKey& key);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_MANIFEST_H_
