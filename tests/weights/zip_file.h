// A zip archive, for tests of its readers.
#ifndef WHIT_TESTS_WEIGHTS_ZIP_FILE_H_
#define WHIT_TESTS_WEIGHTS_ZIP_FILE_H_

#include <zlib.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace whit::tools {

/// Deflated without a header, as archives have it.
inline std::string RawDeflated(const std::string& data) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), 0);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_in = static_cast<uInt>(data.size()),
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// `deflated`: the entries are. `stated`: their unpacked size, where it is not the true one.
inline std::vector<std::byte> ZipFile(
    const std::vector<std::pair<std::string, std::string>>& entries, bool deflated = false,
    uint64_t stated = 0) {
  std::vector<std::byte> out;
  const auto text = [](std::vector<std::byte>* to, const std::string& s) {
    for (char c : s) to->push_back(static_cast<std::byte>(c));
  };
  const auto number = [](std::vector<std::byte>* to, uint64_t value, int size) {
    for (int i = 0; i < size; ++i) {
      to->push_back(static_cast<std::byte>(value & 255));
      value >>= 8;
    }
  };
  std::vector<std::byte> directory;
  for (const auto& [name, content] : entries) {
    const size_t at = out.size();
    const std::string data = deflated ? RawDeflated(content) : content;
    const uint64_t method = deflated ? 8 : 0, size = stated != 0 ? stated : content.size();
    number(&out, 0x04034b50, 4), number(&out, 10, 2), number(&out, 0, 2), number(&out, method, 2);
    number(&out, 0, 8), number(&out, data.size(), 4), number(&out, size, 4);
    number(&out, name.size(), 2), number(&out, 0, 2);
    text(&out, name), text(&out, data);
    number(&directory, 0x02014b50, 4), number(&directory, 10, 2), number(&directory, 10, 2);
    number(&directory, 0, 2), number(&directory, method, 2), number(&directory, 0, 8);
    number(&directory, data.size(), 4), number(&directory, size, 4);
    number(&directory, name.size(), 2), number(&directory, 0, 12), number(&directory, at, 4);
    text(&directory, name);
  }
  const size_t offset = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  number(&out, 0x06054b50, 4), number(&out, 0, 4);
  number(&out, entries.size(), 2), number(&out, entries.size(), 2);
  number(&out, directory.size(), 4), number(&out, offset, 4), number(&out, 0, 2);
  return out;
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_WEIGHTS_ZIP_FILE_H_
