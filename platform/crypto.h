// Digests, signatures and sealing, by libsodium. A build without it (WHIT_SODIUM=OFF) computes none
// of them: CryptoAvailable() is false there, and everything else must not be called.
#ifndef WHIT_PLATFORM_CRYPTO_H_
#define WHIT_PLATFORM_CRYPTO_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "platform/status.h"

namespace whit {

inline constexpr size_t kDigestBytes = 32;     // BLAKE2b-256
inline constexpr size_t kPublicKeyBytes = 32;  // Ed25519
inline constexpr size_t kSecretSeedBytes = 32;
inline constexpr size_t kSignatureBytes = 64;

using Digest = std::array<std::byte, kDigestBytes>;
using PublicKey = std::array<std::byte, kPublicKeyBytes>;
using Signature = std::array<std::byte, kSignatureBytes>;

/// Whether this build can compute any of this. Thread-safe; so is everything below.
bool CryptoAvailable();

/// BLAKE2b-256 of bytes that come piece by piece. `purpose` (at most 16 characters) and `number` go
/// into the parameter block (personalization and salt, RFC 7693 2.8): digests for two purposes, or
/// with two numbers, have nothing to do with each other.
class Hasher {
 public:
  explicit Hasher(std::string_view purpose, uint64_t number = 0);
  void Update(std::span<const std::byte> bytes);
  Digest Finish();  // once

 private:
  alignas(64) std::array<std::byte, 384> state_;
};

Digest DigestOf(std::string_view purpose, uint64_t number, std::span<const std::byte> bytes);

/// SHA-256, which other tools compute too: for naming files, not for the tree.
Digest Sha256Of(std::span<const std::byte> bytes);

/// What signs: an Ed25519 key. Its secret is wiped when it goes.
class SigningKey {
 public:
  /// A new one, of the system's random numbers.
  static SigningKey Generate();
  /// The key of a seed of 32 bytes (RFC 8032).
  static SigningKey FromSeed(std::span<const std::byte, kSecretSeedBytes> seed);
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  SigningKey(SigningKey&& other) noexcept;
  ~SigningKey();

  const PublicKey& public_key() const { return public_; }
  std::span<const std::byte, kSecretSeedBytes> seed() const {
    return std::span<const std::byte, 64>(secret_).first<kSecretSeedBytes>();
  }
  Signature Sign(std::span<const std::byte> message) const;

 private:
  SigningKey() = default;
  std::array<std::byte, 64> secret_{};  // seed, then public key: libsodium's form
  PublicKey public_{};
};

bool SignatureIsTrue(std::span<const std::byte, kSignatureBytes> signature,
                     std::span<const std::byte> message,
                     std::span<const std::byte, kPublicKeyBytes> key);

inline constexpr size_t kSealKeyBytes = 32;  // XChaCha20-Poly1305
inline constexpr size_t kSealNonceBytes = 24, kSealTagBytes = 16;

using SealKey = std::array<std::byte, kSealKeyBytes>;
using SealNonce = std::array<std::byte, kSealNonceBytes>;
using SealTag = std::array<std::byte, kSealTagBytes>;

/// XChaCha20-Poly1305: `plain` into `sealed` (same size; may be the same bytes), with a tag over it
/// and `context`. A nonce must never seal two texts under one key.
SealTag SealBytes(std::span<const std::byte> plain, std::span<const std::byte> context,
                  const SealNonce& nonce, const SealKey& key, std::byte* sealed);
/// The way back. False, and `plain` zeros, where key, context, tag or text are not the ones.
bool UnsealBytes(std::span<const std::byte> sealed, std::span<const std::byte> context,
                 std::span<const std::byte, kSealTagBytes> tag, const SealNonce& nonce,
                 const SealKey& key, std::byte* plain);

/// Random bytes of the system, fit for keys.
void FillRandom(std::span<std::byte> bytes);

/// Overwrites memory so that no compiler leaves it out.
void WipeMemory(std::span<std::byte> bytes);

/// Lower-case hexadecimal, and back: kInvalidArgument where the text is not `bytes.size()` bytes.
std::string ToHex(std::span<const std::byte> bytes);
Status FromHex(std::string_view text, std::span<std::byte> bytes);

}  // namespace whit

#endif  // WHIT_PLATFORM_CRYPTO_H_
