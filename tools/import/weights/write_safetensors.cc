#include <nlohmann/json.hpp>

#include "tools/import/weights/safetensors_type.h"
#include "tools/import/weights/write_weights.h"

namespace whit::tools {

namespace {

using OrderedJson = nlohmann::ordered_json;

// Numbers as text, as the map of metadata wants them.
template <typename T>
std::string Text(const std::vector<T>& values) {
  return OrderedJson(values).dump();
}

OrderedJson Metadata(const WeightSelection& s) {
  OrderedJson metadata = OrderedJson::object();
  for (const auto& [key, value] : s.file->metadata()) metadata[key] = value;
  for (size_t k = 0; k < s.tensors.size(); ++k) {
    const AffineCodes& codes = s.file->tensors()[s.tensors[k]].codes;
    if (codes.empty()) continue;
    metadata[s.names[k] + ".scale"] = Text(codes.scale);
    metadata[s.names[k] + ".zero_point"] = Text(codes.zero_point);
    if (codes.axis >= 0) metadata[s.names[k] + ".axis"] = std::to_string(codes.axis);
  }
  return metadata;
}

}  // namespace

Status WriteSafetensors(const WeightSelection& s, const std::string& path) {
  OrderedJson header = OrderedJson::object();
  OrderedJson metadata = Metadata(s);
  if (!metadata.empty()) header["__metadata__"] = std::move(metadata);
  uint64_t total = 0;
  for (size_t k = 0; k < s.tensors.size(); ++k) {
    const TensorEntry& entry = s.file->tensors()[s.tensors[k]];
    const char* type = SafetensorsType(entry.type);
    if (type == nullptr) {
      return Status(StatusCode::kUnsupported,
                    "safetensors has no " + std::string(ElementName(entry.type)) +
                        ", which tensor '" + entry.name.substr(0, 120) + "' is of");
    }
    header[s.names[k]] = {
        {"dtype", type}, {"shape", entry.shape}, {"data_offsets", {total, total + entry.bytes()}}};
    total += entry.bytes();
  }
  std::string text = header.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // the elements begin at a multiple of 8
  return WriteFileAtomically(path, [&](const AppendBytes& append) {
    const uint64_t size = text.size();
    WHIT_RETURN_IF_ERROR(append(std::as_bytes(std::span(&size, 1))));
    WHIT_RETURN_IF_ERROR(append(std::as_bytes(std::span(text))));
    std::vector<std::byte> scratch;
    uint64_t done = 0;
    for (const size_t i : s.tensors) {
      WHIT_ASSIGN_OR_RETURN(const auto bytes, s.file->Read(i, &scratch));
      WHIT_RETURN_IF_ERROR(append(bytes));
      done += bytes.size();
      s.file->Drop(bytes);
      s.progress(static_cast<double>(done) / static_cast<double>(std::max<uint64_t>(1, total)));
    }
    return OkStatus();
  });
}

}  // namespace whit::tools
