#include "tools/whit/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/mapping.h"

namespace whit::tools {

namespace {

constexpr std::string_view kSecretLine = "whit secret key ed25519";
constexpr std::string_view kSealLine = "whit sealing key xchacha20-poly1305";
constexpr std::string_view kPublicLine = "whit public key ed25519";
constexpr uint64_t kMostKeyBytes = 4096;

Status CannotWrite(const std::string& path) {
  return Status(StatusCode::kIo, "cannot write '" + path + "': " + std::strerror(errno) +
                                     (errno == EEXIST ? "; a key is never overwritten" : ""));
}

// A new file with this mode from the beginning.
Status WriteNew(const std::string& path, mode_t mode, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return CannotWrite(path);
  const bool good = fchmod(fd, mode) == 0 &&  // whatever the mask says
                    write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                    fsync(fd) == 0;
  Status status = good ? OkStatus() : CannotWrite(path);
  close(fd);
  if (!good) unlink(path.c_str());
  return status;
}

std::string KeyText(std::string_view line, std::span<const std::byte> bytes) {
  return std::string(line) + "\n" + ToHex(bytes) + "\n";
}

// The bytes in the second line of a file whose first one is `line`.
Status ReadKeyFile(const std::string& path, std::string_view line, std::span<std::byte> key) {
  WHIT_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, ReadWholeFile(path, kMostKeyBytes));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  Status status;
  if (text.substr(0, line.size()) != line || text.size() <= line.size()) {
    status = Status(StatusCode::kInvalidModel,
                    "it does not begin with the line '" + std::string(line) + "': no such key");
  } else {
    status = FromHex(text.substr(line.size() + 1), key);
  }
  WipeMemory(bytes);
  return std::move(status).WithContext(path);
}

Status ReadSecretFile(const std::string& path, std::string_view line, std::span<std::byte> key) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return Status(StatusCode::kIo, path +
                                       ": others than its owner may read it; chmod 600 it, and "
                                       "make a new key if others had access");
  }
  return ReadKeyFile(path, line, key);
}

Status WriteSecretFile(const std::string& path, std::string_view line,
                       std::span<const std::byte> key) {
  std::string text = KeyText(line, key);
  Status status = WriteNew(path, 0600, text);
  WipeMemory(std::as_writable_bytes(std::span(text)));
  return status;
}

}  // namespace

Status WriteKeyPair(const std::string& path, const SigningKey& key) {
  const std::string public_path = path + ".pub";
  if (access(public_path.c_str(), F_OK) == 0) {
    errno = EEXIST;
    return CannotWrite(public_path);
  }
  WHIT_RETURN_IF_ERROR(WriteSecretFile(path, kSecretLine, key.seed()));
  Status status = WriteNew(public_path, 0644, KeyText(kPublicLine, key.public_key()));
  if (!status.ok()) unlink(path.c_str());
  return status;
}

Result<SigningKey> ReadSigningKey(const std::string& path) {
  std::array<std::byte, kSecretSeedBytes> seed;
  WHIT_RETURN_IF_ERROR(ReadSecretFile(path, kSecretLine, seed));
  SigningKey key = SigningKey::FromSeed(seed);
  WipeMemory(seed);
  return key;
}

Result<PublicKey> ReadPublicKey(const std::string& path_or_hex) {
  PublicKey key;
  if (FromHex(path_or_hex, key).ok()) return key;
  WHIT_RETURN_IF_ERROR(ReadKeyFile(path_or_hex, kPublicLine, key));
  return key;
}

Status WriteSealKey(const std::string& path, const SealKey& key) {
  return WriteSecretFile(path, kSealLine, key);
}

Result<std::shared_ptr<const SealKey>> ReadSealKey(const std::string& path) {
  const std::shared_ptr<SealKey> key(new SealKey{}, [](SealKey* k) {
    WipeMemory(*k);
    delete k;
  });
  WHIT_RETURN_IF_ERROR(ReadSecretFile(path, kSealLine, *key));
  return std::shared_ptr<const SealKey>(key);
}

}  // namespace whit::tools
