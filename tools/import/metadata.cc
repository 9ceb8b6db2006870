#include "tools/import/metadata.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "import/tflite_metadata_generated.h"
#include "tools/import/source.h"

namespace whit::tools {

namespace {

namespace meta = tflite::metadata;

constexpr size_t kMaxLabels = 1 << 20;  // of all files together
constexpr size_t kMaxLabelFiles = 32;   // one a language; each costs a look into the archive
constexpr unsigned kMaxChannels = 16;   // what a .whit file takes

// Texts are copied once, whole; names, which many tables may share, are cut (NameOf).
std::string Str(const flatbuffers::String* s) { return s == nullptr ? std::string() : s->str(); }

// ---- signatures ----

template <typename Maps>
void NameIos(const Maps* maps, std::vector<GraphIo>* ios) {
  if (maps == nullptr) return;
  std::map<uint32_t, const flatbuffers::String*> names;
  for (const tflite::TensorMap* map : *maps) {
    if (map->name() != nullptr) names[map->tensor_index()] = map->name();
  }
  for (GraphIo& io : *ios) {
    const auto found = names.find(static_cast<uint32_t>(io.tensor));
    if (found != names.end()) io.name = NameOf(found->second);
  }
}

// The first signature of the main subgraph, or null.
const tflite::SignatureDef* MainSignature(const TfliteState& state) {
  const auto* signatures = state.model->signature_defs();
  if (signatures == nullptr) return nullptr;
  for (const tflite::SignatureDef* s : *signatures) {
    if (s->subgraph_index() == 0) return s;
  }
  return nullptr;
}

void ReadSignature(TfliteState& state) {
  const tflite::SignatureDef* s = MainSignature(state);
  if (s == nullptr) return;
  state.graph.signature = NameOf(s->signature_key());
  NameIos(s->inputs(), &state.graph.inputs);
  NameIos(s->outputs(), &state.graph.outputs);
}

// ---- labels ----

std::vector<std::string> Lines(const std::string& text, size_t most) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size() && lines.size() < most) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    size_t stop = end;
    while (stop > begin && (text[stop - 1] == '\r' || text[stop - 1] == ' ')) --stop;
    lines.push_back(text.substr(begin, stop - begin));
    begin = end + 1;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

// Reads the label files of one output; the first becomes the one that `whit classify` uses.
void ReadLabels(TfliteState& state, std::span<const uint8_t> file,
                const meta::TensorMetadata& source, GraphIo* io) {
  if (source.associated_files() == nullptr) return;
  size_t labels_left = kMaxLabels;
  for (const fbs::LabelsT& known : state.graph.labels) labels_left -= known.labels.size();
  for (const meta::AssociatedFile* f : *source.associated_files()) {
    if (f->type() != meta::AssociatedFileType::TENSOR_AXIS_LABELS &&
        f->type() != meta::AssociatedFileType::TENSOR_VALUE_LABELS) {
      continue;
    }
    const std::string name = NameOf(f->name());
    if (state.label_files == kMaxLabelFiles) {
      state.report.warnings.push_back("label file '" + Shown(name) + "' and later ones not read: " +
                                      std::to_string(kMaxLabelFiles) + " are taken");
      return;
    }
    ++state.label_files;
    std::string text;
    if (!ReadPackedFile(file, name, &text)) {
#if WHIT_LIBZIP
      state.report.warnings.push_back("label file '" + Shown(name) + "' is named but not packed");
#else
      state.report.warnings.push_back("label file '" + Shown(name) +
                                      "' not read: built without libzip");
#endif
      continue;
    }
    fbs::LabelsT labels;
    labels.name = name;
    labels.locale = NameOf(f->locale());
    labels.labels = Lines(text, labels_left);
    labels_left -= labels.labels.size();
    if (labels.labels.empty()) continue;
    if (io->labels < 0) io->labels = static_cast<int>(state.graph.labels.size());
    state.graph.labels.push_back(std::move(labels));
  }
}

// ---- normalization ----

// One value a channel; a longer list is cut to a length that is not usable.
template <typename List>
std::vector<float> Floats(const List* list) {
  if (list == nullptr) return {};
  return {list->begin(), list->begin() + std::min(list->size(), kMaxChannels + 1)};
}

bool Usable(const fbs::NormalizationT& n) {
  const auto finite = [](float v) { return std::isfinite(v); };
  return !n.mean.empty() && n.mean.size() == n.std.size() && n.mean.size() <= kMaxChannels &&
         std::all_of(n.mean.begin(), n.mean.end(), finite) &&
         std::all_of(n.std.begin(), n.std.end(), finite) &&
         std::all_of(n.std.begin(), n.std.end(), [](float v) { return v != 0; });
}

void ReadNormalization(TfliteState& state, const meta::TensorMetadata& source, GraphIo* io) {
  const auto* content = source.content();
  const auto* image =
      content == nullptr ? nullptr : content->content_properties_as_ImageProperties();
  if (image != nullptr && image->color_space() == meta::ColorSpaceType::GRAYSCALE) {
    io->normalization.channels = fbs::ChannelOrder::grey;
  }
  if (source.process_units() == nullptr) return;
  for (const meta::ProcessUnit* unit : *source.process_units()) {
    const auto* options = unit->options_as_NormalizationOptions();
    if (options == nullptr) continue;
    fbs::NormalizationT n = io->normalization;
    n.mean = Floats(options->mean());
    n.std = Floats(options->std());
    if (Usable(n)) {
      io->normalization = std::move(n);
    } else {
      state.report.warnings.push_back("input '" + Shown(io->name) +
                                      "': its mean and std are not usable, left out");
    }
  }
}

// ---- the metadata as a whole ----

// Files give their buffers no more than 4-byte alignment, so the metadata is read from `copy`.
const meta::ModelMetadata* FindMetadata(TfliteState& state, std::span<const uint8_t> file,
                                        std::vector<uint64_t>* copy) {
  if (state.model->metadata() == nullptr) return nullptr;
  for (const tflite::Metadata* m : *state.model->metadata()) {
    if (m->name() == nullptr || m->name()->string_view() != "TFLITE_METADATA") continue;
    auto bytes = BufferBytes(*state.model, file, m->buffer());
    if (!bytes.ok()) return nullptr;
    constexpr size_t kIdentifierEnd = 8;
    if (bytes->size() >= kIdentifierEnd && bytes->size() < FLATBUFFERS_MAX_BUFFER_SIZE) {
      copy->assign(bytes->size() / sizeof(uint64_t) + 1, 0);
      std::memcpy(copy->data(), bytes->data(), bytes->size());
      const auto* data = reinterpret_cast<const uint8_t*>(copy->data());
      flatbuffers::Verifier verifier(data, bytes->size());
      if (meta::VerifyModelMetadataBuffer(verifier)) return meta::GetModelMetadata(data);
    }
    state.report.warnings.push_back("the TFLite metadata is damaged, left out");
    return nullptr;
  }
  return nullptr;
}

void ReadTensors(TfliteState& state, std::span<const uint8_t> file,
                 const meta::SubGraphMetadata& subgraph) {
  const auto each = [](const auto* list, std::vector<GraphIo>& ios, auto read) {
    if (list == nullptr) return;
    const size_t n = std::min<size_t>(list->size(), ios.size());
    for (size_t i = 0; i < n; ++i) read(*list->Get(static_cast<uint32_t>(i)), &ios[i]);
  };
  each(subgraph.input_tensor_metadata(), state.graph.inputs,
       [&](const meta::TensorMetadata& t, GraphIo* io) { ReadNormalization(state, t, io); });
  each(subgraph.output_tensor_metadata(), state.graph.outputs,
       [&](const meta::TensorMetadata& t, GraphIo* io) { ReadLabels(state, file, t, io); });
}

}  // namespace

Status ReadMetadata(TfliteState& state, std::span<const uint8_t> file) {
  Graph& graph = state.graph;
  ReadSignature(state);
  graph.description = Str(state.model->description());
  std::vector<uint64_t> copy;
  const meta::ModelMetadata* m = FindMetadata(state, file, &copy);
  if (m != nullptr) {
    graph.name = Str(m->name()), graph.version = Str(m->version()), graph.author = Str(m->author());
    graph.licence = Str(m->license());
    if (m->description() != nullptr) graph.description = m->description()->str();
    const auto* subgraphs = m->subgraph_metadata();
    if (subgraphs != nullptr && subgraphs->size() > 0) ReadTensors(state, file, *subgraphs->Get(0));
  }
  if (!state.options.name.empty() && (graph.name.empty() || m == nullptr))
    graph.name = state.options.name;
  const uint32_t subgraphs = state.model->subgraphs()->size();
  if (subgraphs > 1) {
    state.report.notes.push_back(std::to_string(subgraphs - 1) + " further subgraphs are left out");
  }
  return OkStatus();
}

std::string SignatureNameOfInput(const TfliteState& state, int tensor) {
  const tflite::SignatureDef* s = MainSignature(state);
  if (s == nullptr) return "";
  std::vector<GraphIo> one(1);
  one[0].tensor = tensor;
  NameIos(s->inputs(), &one);
  return one[0].name;
}

}  // namespace whit::tools
