#include "tools/whit/manifest.h"

#include <string_view>

namespace whit::tools {

namespace {

constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";

// RFC 4648, section 4.
std::string Base64(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < n ? static_cast<uint32_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// DSSE's pre-authentication encoding: what is signed.
std::string Encoding(const std::string& payload) {
  return "DSSEv1 " + std::to_string(kPayloadType.size()) + " " + std::string(kPayloadType) + " " +
         std::to_string(payload.size()) + " " + payload;
}

}  // namespace

Json ManifestOf(const std::string& name, std::span<const std::byte> file, const SigningKey& key) {
  const Digest digest = Sha256Of(file);
  const Json statement = {
      {"_type", "https://in-toto.io/Statement/v1"},
      // The digest of the subject is over the digests of its resources, one here.
      {"subject",
       Json::array({{{"name", name}, {"digest", {{"sha256", ToHex(Sha256Of(digest))}}}}})},
      {"predicateType", "https://model_signing/signature/v1.0"},
      {"predicate",
       {{"serialization",
         {{"method", "files"}, {"hash_type", "sha256"}, {"allow_symlinks", false}}},
        {"resources",
         Json::array({{{"name", name}, {"algorithm", "sha256"}, {"digest", ToHex(digest)}}})}}}};
  const std::string payload = statement.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string text = Encoding(payload);
  const Signature signature = key.Sign(std::as_bytes(std::span(text)));
  return {{"payloadType", kPayloadType},
          {"payload", Base64(std::as_bytes(std::span(payload)))},
          {"signatures",
           Json::array({{{"keyid", ToHex(key.public_key())}, {"sig", Base64(signature)}}})}};
}

}  // namespace whit::tools
