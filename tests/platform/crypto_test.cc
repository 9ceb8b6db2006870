// Known answers: digests from Python's hashlib, the signature from RFC 8032 (7.1, test 2).
#include "platform/crypto.h"

#include <gtest/gtest.h>

#include <cstring>

namespace whit {
namespace {

std::span<const std::byte> BytesOf(const char* text) {
  return std::as_bytes(std::span(text, std::strlen(text)));
}

class CryptoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CryptoAvailable()) GTEST_SKIP() << "this build has no libsodium";
  }
};

TEST_F(CryptoTest, DigestsDependOnPurposeAndNumber) {
  EXPECT_EQ(ToHex(DigestOf("whit leaf", 0, {})),
            "7b63b5d0a0b80a286cf24d83dcb6d76d1a0eaa0d24d4a6d029727f7835e3ad25");
  EXPECT_EQ(ToHex(DigestOf("whit leaf", 258, BytesOf("abc"))),
            "0159f6abb287f9880f70620d18a81e4da90cc23c2d46681be64256e820726ff6");
  EXPECT_EQ(ToHex(DigestOf("whit tree", 0, BytesOf("abc"))),
            "73a3674be543434744ddc6c63626d44a9a873e58c99edd2159b3f3348a6a9214");
}

TEST_F(CryptoTest, PiecesMakeTheSameDigest) {
  Hasher hasher("whit leaf", 258);
  hasher.Update(BytesOf("a"));
  hasher.Update({});
  hasher.Update(BytesOf("bc"));
  EXPECT_EQ(hasher.Finish(), DigestOf("whit leaf", 258, BytesOf("abc")));
}

TEST_F(CryptoTest, Sha256) {
  EXPECT_EQ(ToHex(Sha256Of(BytesOf("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(CryptoTest, SignaturesOfTheStandard) {
  std::array<std::byte, kSecretSeedBytes> seed;
  ASSERT_TRUE(
      FromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", seed).ok());
  const SigningKey key = SigningKey::FromSeed(seed);
  EXPECT_EQ(ToHex(key.public_key()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_TRUE(std::equal(seed.begin(), seed.end(), key.seed().begin()));
  const std::byte message[] = {std::byte{0x72}};
  const Signature signature = key.Sign(message);
  EXPECT_EQ(ToHex(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(SignatureIsTrue(signature, message, key.public_key()));
  const std::byte other[] = {std::byte{0x73}};
  EXPECT_FALSE(SignatureIsTrue(signature, other, key.public_key()));
  EXPECT_FALSE(SignatureIsTrue(signature, message, SigningKey::Generate().public_key()));
}

TEST_F(CryptoTest, GeneratedKeysDiffer) {
  EXPECT_NE(SigningKey::Generate().public_key(), SigningKey::Generate().public_key());
}

TEST(HexTest, BackAndForth) {
  const std::byte bytes[] = {std::byte{0}, std::byte{0xab}, std::byte{0xff}};
  EXPECT_EQ(ToHex(bytes), "00abff");
  std::byte back[3];
  ASSERT_TRUE(FromHex("00ABff", back).ok());
  EXPECT_TRUE(std::equal(std::begin(bytes), std::end(bytes), back));
  EXPECT_EQ(FromHex("00abf", back).message(),
            "6 hexadecimal digits expected, there are 5 characters");
  EXPECT_EQ(FromHex("00axff", back).message(), "character 3 is no hexadecimal digit");
}

// The XChaCha20-Poly1305 example of draft-irtf-cfrg-xchacha-03, A.3.1.
TEST_F(CryptoTest, SealingIsTheStandardOne) {
  const std::string_view text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.";
  std::array<std::byte, 12> context;
  SealKey key;
  SealNonce nonce;
  ASSERT_TRUE(FromHex("50515253c0c1c2c3c4c5c6c7", context).ok());
  ASSERT_TRUE(
      FromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key).ok());
  ASSERT_TRUE(FromHex("404142434445464748494a4b4c4d4e4f5051525354555657", nonce).ok());
  const std::span<const std::byte> plain = std::as_bytes(std::span(text));
  std::vector<std::byte> sealed(plain.size()), back(plain.size());
  const SealTag tag = SealBytes(plain, context, nonce, key, sealed.data());
  EXPECT_EQ(ToHex(std::span(sealed).first(16)), "bd6d179d3e83d43b9576579493c0e939");
  EXPECT_EQ(ToHex(tag), "c0875924c1c7987947deafd8780acf49");
  EXPECT_TRUE(UnsealBytes(sealed, context, tag, nonce, key, back.data()));
  EXPECT_TRUE(std::ranges::equal(back, plain));
  sealed[3] ^= std::byte{1};
  EXPECT_FALSE(UnsealBytes(sealed, context, tag, nonce, key, back.data()));
}

}  // namespace
}  // namespace whit
