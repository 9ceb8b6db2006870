// A zip archive of stored entries, for tests of its readers.
#ifndef WHIT_TESTS_WEIGHTS_ZIP_FILE_H_
#define WHIT_TESTS_WEIGHTS_ZIP_FILE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace whit::tools {

inline std::vector<std::byte> ZipFile(
    const std::vector<std::pair<std::string, std::string>>& entries) {
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
  for (const auto& [name, data] : entries) {
    const size_t at = out.size();
    number(&out, 0x04034b50, 4), number(&out, 10, 2), number(&out, 0, 12);
    number(&out, data.size(), 4), number(&out, data.size(), 4);
    number(&out, name.size(), 2), number(&out, 0, 2);
    text(&out, name), text(&out, data);
    number(&directory, 0x02014b50, 4), number(&directory, 10, 2), number(&directory, 10, 2);
    number(&directory, 0, 12);
    number(&directory, data.size(), 4), number(&directory, data.size(), 4);
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
