#include "tools/whit/inspect_json.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>

namespace whit::tools {

namespace {

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kBroken:
      return "broken";
    case Severity::kLook:
      return "look";
    case Severity::kRemark:
      break;
  }
  return "remark";
}

Json FindingsJson(const TensorReport& r) {
  Json findings = Json::array();
  for (const Finding& f : r.findings) {
    findings.push_back({{"kind", f.kind},
                        {"severity", SeverityName(f.severity)},
                        {"share", f.share},
                        {"what", f.what},
                        {"detail", f.detail}});
  }
  return findings;
}

Json HeadJson(const TensorReport& r) {
  Json json = {{"name", r.entry.name},     {"type", ElementName(r.entry.type)},
               {"shape", r.entry.shape},   {"elements", r.entry.elements()},
               {"bytes", r.entry.bytes()}, {"findings", FindingsJson(r)}};
  if (!r.unreadable.empty()) json["unreadable"] = r.unreadable;
  return json;
}

void AddStatistics(const TensorReport& r, Json* json) {
  const TensorStatistics& s = r.statistics;
  (*json)["axis"] = r.layout.axis, (*json)["why"] = r.layout.why;
  (*json)["channels"] = r.layout.channels;
  (*json)["min"] = Number(s.min), (*json)["max"] = Number(s.max);
  (*json)["mean"] = Number(s.mean), (*json)["deviation"] = Number(s.deviation);
  (*json)["kurtosis"] = Number(s.kurtosis), (*json)["farthest"] = Number(s.farthest);
  (*json)["beyond_six"] = s.beyond_six;
  (*json)["zeros"] = s.zeros, (*json)["near_zeros"] = s.near_zeros;
  (*json)["not_finite"] = s.not_finite;
  (*json)["quantized"] = !r.entry.codes.empty();
  (*json)["histogram"] = s.histogram;
  if (!r.noise) return;
  (*json)["int8_tensor_db"] = Number(r.noise->int8_tensor);
  (*json)["int8_channel_db"] = Number(r.noise->int8_channel);
  (*json)["int4_channel_db"] = Number(r.noise->int4_channel);
}

Json CodesJson(const CodeUsage& codes) {
  return {{"lowest", codes.lowest},
          {"bits", codes.bits},
          {"used", codes.used},
          {"there_are", codes.there_are()},
          {"mean_unused", codes.mean_unused},
          {"most_unused", codes.most_unused}};
}

Json PairsJson(const std::vector<ChannelPair>& pairs) {
  Json json = Json::array();
  for (const ChannelPair& p : pairs)
    json.push_back({{"channel", p.channel}, {"of", p.of}, {"cosine", p.cosine}});
  return json;
}

Json SuperWeightsJson(const std::vector<SuperWeight>& weights) {
  Json json = Json::array();
  for (const SuperWeight& w : weights) {
    json.push_back({{"element", w.element},
                    {"channel", w.channel},
                    {"column", w.column},
                    {"value", w.value},
                    {"deviations", w.deviations},
                    {"channel_share", w.channel_share},
                    {"column_share", w.column_share}});
  }
  return json;
}

Json NoiseJson(const OutputNoise& noise) {
  Json json = Json::object();
  if (noise.int8) json["output_int8_db"] = Number(*noise.int8);
  if (noise.int4) json["output_int4_db"] = Number(*noise.int4);
  return json;
}

// One array of a field of all channels.
template <typename List, typename Field>
void PrintField(const char* before, const char* name, const List& list, Field field) {
  std::printf("%s\"%s\":[", before, name);
  bool first = true;
  for (const auto& item : list) {
    std::printf("%s%s", first ? "" : ",", Json(field(item)).dump().c_str());
    first = false;
  }
  std::printf("]");
}

// ---- the page ----

// Bytes of strips in all, of the 4 MB that a page may have: the rest is a KiB a tensor.
constexpr size_t kStripBytes = 2 << 20;
constexpr size_t kColumnBytes = 4 + kChannelBins;
// Tensors that get a panel, and those that are listed at all.
constexpr size_t kMostPanels = 1000, kMostRows = 10000, kMostNameBytes = 1 << 20;

void AppendHex(int value, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  *out += kDigits[value >> 4 & 15], *out += kDigits[value & 15];
}

std::string StripText(const std::vector<StripColumn>& strip) {
  std::string text;
  for (const StripColumn& c : strip) {
    AppendHex(c.min, &text), AppendHex(c.max, &text);
    for (const uint8_t dense : c.density) text += "0123456789abcdefghijklmnopqrstuvwxyz"[dense];
  }
  return text;
}

std::string LevelsText(const CodeUsage& codes) {
  std::string text;
  const int64_t largest =
      std::max<int64_t>(*std::max_element(codes.counts.begin(), codes.counts.end()), 1);
  for (const int64_t n : codes.counts) {
    AppendHex(
        static_cast<int>(std::ceil(255 * static_cast<double>(n) / static_cast<double>(largest))),
        &text);
  }
  return text;
}

// Six digits are more than a page shows.
void Round(Json* json) {
  for (Json& value : *json) {
    if (!value.is_number_float()) continue;
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value.get<double>());
    value = std::strtod(text, nullptr);
  }
}

Json PageTensor(const TensorReport& r, bool panel, size_t columns) {
  Json json = HeadJson(r);
  json["shape"] = r.entry.ShapeText();
  if (!panel || !r.unreadable.empty()) return json;
  AddStatistics(r, &json);
  Round(&json);
  if (r.codes) json["codes"] = CodesJson(*r.codes), json["codes"]["levels"] = LevelsText(*r.codes);
  // Fewer than eight columns show nothing of channels.
  if (!r.strip.empty() && columns >= 8) json["strip"] = StripText(Narrowed(r.strip, columns));
  return json;
}

// Positions of the tensors that get a panel.
std::vector<bool> Panels(const std::vector<TensorReport>& tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (order.size() > kMostPanels) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return MattersMore(tensors[a], tensors[b]); });
    order.resize(kMostPanels);
  }
  std::vector<bool> panels(tensors.size());
  for (const size_t i : order) panels[i] = true;
  return panels;
}

}  // namespace

Json TensorJson(const TensorReport& r) {
  Json json = HeadJson(r);
  if (!r.unreadable.empty()) return json;
  AddStatistics(r, &json);
  if (r.codes) json["codes"] = CodesJson(*r.codes), json["codes"]["counts"] = r.codes->counts;
  json["dead"] = r.dead, json["constant"] = r.constant;
  json["duplicates"] = PairsJson(r.duplicates.equal);
  json["near_duplicates"] = PairsJson(r.duplicates.near);
  json["super_weights"] = SuperWeightsJson(r.super_weights);
  return json;
}

void PrintChannels(const TensorReport& r) {
  const std::vector<ChannelStatistics>& all = r.statistics.channels;
  PrintField("{", "min", all, [](const auto& c) { return Number(c.min); });
  PrintField(",", "max", all, [](const auto& c) { return Number(c.max); });
  PrintField(",", "mean", all, [](const auto& c) { return Number(c.mean); });
  PrintField(",", "deviation", all, [](const auto& c) { return Number(c.deviation); });
  PrintField(",", "zeros", all, [](const auto& c) { return c.zeros; });
  PrintField(",", "not_finite", all, [](const auto& c) { return c.not_finite; });
  PrintField(",", "histogram", all, [](const auto& c) { return c.histogram; });
  if (r.codes)
    PrintField(",", "unused_bits", r.codes->unused_bits, [](float bits) { return bits; });
  std::printf("}");
}

Json SensitivityJson(const FileReport& report) {
  Json tensors = Json::array(), removed = Json::array();
  for (size_t i = 0; i < report.sensitivity.size(); ++i) {
    const OutputNoise& noise = report.sensitivity[i];
    if (!noise.int8 && !noise.int4) continue;
    Json json = {{"name", report.tensors[i].entry.name}};
    json.update(NoiseJson(noise));
    tensors.push_back(std::move(json));
  }
  for (const RemovedWeight& r : report.removed) {
    removed.push_back({{"name", report.tensors[r.tensor].entry.name},
                       {"element", r.weight.element},
                       {"value", r.weight.value},
                       {"output_db", Number(r.noise)}});
  }
  return {{"sensitivity", tensors}, {"removed", removed}};
}

std::string PageJson(const FileReport& report) {
  const size_t count = report.tensors.size(), panels = std::min(count, kMostPanels);
  const size_t columns =
      std::min(kStripColumns, kStripBytes / kColumnBytes / std::max<size_t>(panels, 1));
  const std::vector<bool> with_panel = Panels(report.tensors);
  Json tensors = Json::array();
  size_t name_bytes = 0;
  for (size_t i = 0; i < count && tensors.size() < kMostRows; ++i) {
    name_bytes += report.tensors[i].entry.name.size();
    if (name_bytes > kMostNameBytes) break;
    Json json = PageTensor(report.tensors[i], with_panel[i], columns);
    if (!report.sensitivity.empty()) json.update(NoiseJson(report.sensitivity[i]));
    tensors.push_back(std::move(json));
  }
  std::string cut;
  if (count > kMostPanels || tensors.size() < count) {
    cut = "Of " + std::to_string(count) + " tensors the " + std::to_string(panels) +
          " that matter most have a panel, and the first " + std::to_string(tensors.size()) +
          " are listed. whit inspect --json has everything.";
  }
  return Json{{"file", std::filesystem::path(report.file).filename().string()},
              {"format", report.format},
              {"elements", report.elements},
              {"bytes", report.bytes},
              {"cut", cut},
              {"tensors", tensors}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace whit::tools
