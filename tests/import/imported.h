// What an import made, opened; and why one was refused.
#ifndef WHIT_TESTS_IMPORT_IMPORTED_H_
#define WHIT_TESTS_IMPORT_IMPORTED_H_

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/mapping.h"
#include "schema/reader.h"
#include "tools/import/import.h"

namespace whit::tools {

// An imported file, opened; fails the test where the import does.
struct Imported {
  std::vector<std::byte> bytes;
  std::shared_ptr<const ModelFile> file;
  ImportReport report;

  explicit Imported(const std::vector<uint8_t>& tflite) {
    auto result = ImportTfliteBytes(tflite, {}, &report);
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (!result.ok()) return;
    bytes = std::move(result).value();
    auto opened = ModelFile::Open(Mapping::Borrow(bytes));
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    if (opened.ok()) file = std::move(opened).value();
  }

  std::vector<std::string> Ops() const {
    std::vector<std::string> names;
    if (file == nullptr || file->main_subgraph().operators() == nullptr) return names;
    for (const fbs::Operator* op : *file->main_subgraph().operators())
      names.push_back(fbs::EnumNameOptions(op->options_type()));
    return names;
  }
  const fbs::Operator& op(uint32_t i) const { return *file->main_subgraph().operators()->Get(i); }
  const fbs::Tensor& tensor(int i) const {
    return *file->main_subgraph().tensors()->Get(static_cast<uint32_t>(i));
  }
  template <typename T>
  std::vector<T> Blob(int i) const {
    const auto span = file->blob(static_cast<size_t>(i));
    std::vector<T> values(span.size() / sizeof(T));
    std::memcpy(values.data(), span.data(), values.size() * sizeof(T));
    return values;
  }
};

using Names = std::vector<std::string>;

inline Status Refusal(const std::vector<uint8_t>& tflite) {
  auto result = ImportTfliteBytes(tflite);
  EXPECT_FALSE(result.ok());
  return result.status();
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_IMPORT_IMPORTED_H_
