#include "platform/crypto.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#ifdef WHIT_HAVE_SODIUM
#include <sodium.h>
#endif

namespace whit {

#ifdef WHIT_HAVE_SODIUM

namespace {

unsigned char* Raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* Raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// Chooses the fastest code for this CPU; later calls return at once.
bool Ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

crypto_generichash_blake2b_state* StateOf(std::array<std::byte, 384>& bytes) {
  static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof(bytes));
  return reinterpret_cast<crypto_generichash_blake2b_state*>(bytes.data());
}

}  // namespace

bool CryptoAvailable() { return Ready(); }

Hasher::Hasher(std::string_view purpose, uint64_t number) {
  (void)Ready();
  unsigned char salt[crypto_generichash_blake2b_SALTBYTES] = {};
  unsigned char personal[crypto_generichash_blake2b_PERSONALBYTES] = {};
  for (size_t i = 0; i < sizeof(number); ++i)
    salt[i] = static_cast<unsigned char>(number >> (8 * i));
  std::memcpy(personal, purpose.data(), std::min(purpose.size(), sizeof(personal)));
  crypto_generichash_blake2b_init_salt_personal(StateOf(state_), nullptr, 0, kDigestBytes, salt,
                                                personal);
}

void Hasher::Update(std::span<const std::byte> bytes) {
  crypto_generichash_blake2b_update(StateOf(state_), Raw(bytes.data()), bytes.size());
}

Digest Hasher::Finish() {
  Digest digest;
  crypto_generichash_blake2b_final(StateOf(state_), Raw(digest.data()), digest.size());
  return digest;
}

Digest Sha256Of(std::span<const std::byte> bytes) {
  Digest digest;
  crypto_hash_sha256(Raw(digest.data()), Raw(bytes.data()), bytes.size());
  return digest;
}

SigningKey SigningKey::Generate() {
  (void)Ready();
  SigningKey key;
  crypto_sign_ed25519_keypair(Raw(key.public_.data()), Raw(key.secret_.data()));
  return key;
}

SigningKey SigningKey::FromSeed(std::span<const std::byte, kSecretSeedBytes> seed) {
  (void)Ready();
  SigningKey key;
  crypto_sign_ed25519_seed_keypair(Raw(key.public_.data()), Raw(key.secret_.data()),
                                   Raw(seed.data()));
  return key;
}

Signature SigningKey::Sign(std::span<const std::byte> message) const {
  Signature signature;
  crypto_sign_ed25519_detached(Raw(signature.data()), nullptr, Raw(message.data()), message.size(),
                               Raw(secret_.data()));
  return signature;
}

bool SignatureIsTrue(std::span<const std::byte, kSignatureBytes> signature,
                     std::span<const std::byte> message,
                     std::span<const std::byte, kPublicKeyBytes> key) {
  (void)Ready();
  return crypto_sign_ed25519_verify_detached(Raw(signature.data()), Raw(message.data()),
                                             message.size(), Raw(key.data())) == 0;
}

SealTag SealBytes(std::span<const std::byte> plain, std::span<const std::byte> context,
                  const SealNonce& nonce, const SealKey& key, std::byte* sealed) {
  (void)Ready();
  SealTag tag;
  crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
      Raw(sealed), Raw(tag.data()), nullptr, Raw(plain.data()), plain.size(), Raw(context.data()),
      context.size(), nullptr, Raw(nonce.data()), Raw(key.data()));
  return tag;
}

bool UnsealBytes(std::span<const std::byte> sealed, std::span<const std::byte> context,
                 std::span<const std::byte, kSealTagBytes> tag, const SealNonce& nonce,
                 const SealKey& key, std::byte* plain) {
  (void)Ready();
  return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
             Raw(plain), nullptr, Raw(sealed.data()), sealed.size(), Raw(tag.data()),
             Raw(context.data()), context.size(), Raw(nonce.data()), Raw(key.data())) == 0;
}

void FillRandom(std::span<std::byte> bytes) {
  (void)Ready();
  randombytes_buf(bytes.data(), bytes.size());
}

void WipeMemory(std::span<std::byte> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

#else

namespace {

// Callers ask CryptoAvailable() first: coming here is a defect of ours.
[[noreturn]] void Missing() { std::abort(); }

}  // namespace

bool CryptoAvailable() { return false; }

Hasher::Hasher(std::string_view, uint64_t) { Missing(); }
void Hasher::Update(std::span<const std::byte>) { Missing(); }
Digest Hasher::Finish() { Missing(); }
Digest Sha256Of(std::span<const std::byte>) { Missing(); }
SigningKey SigningKey::Generate() { Missing(); }
SigningKey SigningKey::FromSeed(std::span<const std::byte, kSecretSeedBytes>) { Missing(); }
Signature SigningKey::Sign(std::span<const std::byte>) const { Missing(); }
bool SignatureIsTrue(std::span<const std::byte, kSignatureBytes>, std::span<const std::byte>,
                     std::span<const std::byte, kPublicKeyBytes>) {
  Missing();
}
SealTag SealBytes(std::span<const std::byte>, std::span<const std::byte>, const SealNonce&,
                  const SealKey&, std::byte*) {
  Missing();
}
bool UnsealBytes(std::span<const std::byte>, std::span<const std::byte>,
                 std::span<const std::byte, kSealTagBytes>, const SealNonce&, const SealKey&,
                 std::byte*) {
  Missing();
}
void FillRandom(std::span<std::byte>) { Missing(); }

void WipeMemory(std::span<std::byte> bytes) {
  volatile std::byte* at = bytes.data();
  for (size_t i = 0; i < bytes.size(); ++i) at[i] = std::byte{0};
}

#endif

Digest DigestOf(std::string_view purpose, uint64_t number, std::span<const std::byte> bytes) {
  Hasher hasher(purpose, number);
  hasher.Update(bytes);
  return hasher.Finish();
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : secret_(other.secret_), public_(other.public_) {
  WipeMemory(other.secret_);
}

SigningKey::~SigningKey() { WipeMemory(secret_); }

}  // namespace whit
