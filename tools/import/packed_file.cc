// The zip archive that TFLite Metadata appends to a model, read with libzip.
#include "tools/import/metadata.h"

#if WHIT_LIBZIP
#include <zip.h>
#endif

namespace whit::tools {

#if WHIT_LIBZIP

namespace {

constexpr uint64_t kMaxPackedFile = 16 << 20;  // bytes unpacked; labels are text

bool ReadEntry(zip_t* archive, const std::string& name, std::string* content) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(archive, name.c_str(), 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0)
    return false;
  if (stat.size > kMaxPackedFile) return false;
  zip_file_t* entry = zip_fopen(archive, name.c_str(), 0);
  if (entry == nullptr) return false;
  content->resize(stat.size);
  zip_int64_t got = 0;
  for (uint64_t at = 0; at < stat.size; at += static_cast<uint64_t>(got)) {
    got = zip_fread(entry, content->data() + at, stat.size - at);
    if (got <= 0) break;
  }
  zip_fclose(entry);
  return stat.size == 0 || got > 0;
}

}  // namespace

bool ReadPackedFile(std::span<const uint8_t> file, const std::string& name, std::string* content) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
  if (source == nullptr) return false;
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (archive == nullptr) {
    zip_source_free(source);
    return false;
  }
  const bool found = ReadEntry(archive, name, content);
  zip_discard(archive);
  return found;
}

#else

bool ReadPackedFile(std::span<const uint8_t>, const std::string&, std::string*) { return false; }

#endif

}  // namespace whit::tools
