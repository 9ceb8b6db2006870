#include "tools/whit/import_recipe_flags.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "platform/mapping.h"
#include "tools/import/import_recipe.h"
#include "tools/import/weights/rename.h"
#include "tools/whit/command.h"
#include "tools/whit/progress.h"

namespace whit::tools {

namespace {

Status ReadSettings(const std::vector<std::string>& words, std::map<std::string, int64_t>* values) {
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    int64_t value = 0;
    const char* end = word.data() + word.size();
    const char* begin = equals == std::string::npos ? end : word.data() + equals + 1;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (equals == 0 || begin == end || error != std::errc() || stop != end)
      return UsageError("--set " + word + ": NAME=NUMBER expected, such as sequence=128");
    (*values)[word.substr(0, equals)] = value;
  }
  return OkStatus();
}

// Options that the weights do not tell and a config.json beside them does, as Hugging Face's
// models have it. What was said on the command line stays.
void ReadConfig(const std::string& weights, const std::string& graph,
                std::map<std::string, int64_t>* values, std::vector<std::string>* notes) {
  constexpr uint64_t kMaxConfig = 1 << 20;
  const auto path = std::filesystem::path(weights).parent_path() / "config.json";
  auto bytes = ReadWholeFile(path.string(), kMaxConfig);
  if (!bytes.ok()) return;
  const auto* text = reinterpret_cast<const char*>(bytes->data());
  const Json config = Json::parse(text, text + bytes->size(), nullptr, false);
  for (const RecipeOption& option : RecipeOptionsOf(graph)) {
    const auto found = config.is_object() ? config.find(option.key) : config.end();
    if (*option.key == 0 || found == config.end() || !found->is_number_integer()) continue;
    if (values->emplace(option.name, found->get<int64_t>()).second) {
      notes->push_back(std::string(option.name) + " " + found->dump() + ", from " + path.string());
    }
  }
}

Json TensorsJson(const std::vector<MatchedTensor>& list) {
  Json json = Json::array();
  for (const MatchedTensor& t : list)
    json.push_back({{"name", t.name}, {"source", t.source}, {"shape", t.shape}, {"type", t.type}});
  return json;
}

Json MatchesJson(const WeightMatches& m) {
  Json json = {{"prefix", m.prefix}, {"matched", TensorsJson(m.matched)}};
  json["missing"] = Json::array();
  for (const MissingTensor& t : m.missing)
    json["missing"].push_back({{"name", t.name}, {"expected", t.expected}});
  json["misshapen"] = Json::array();
  for (const MisshapenTensor& t : m.misshapen) {
    json["misshapen"].push_back(
        {{"name", t.name}, {"source", t.source}, {"expected", t.expected}, {"found", t.found}});
  }
  json["grafted"] = Json::array();
  for (const GraftedLayer& t : m.grafted) {
    json["grafted"].push_back({{"name", t.name},
                               {"source", t.source},
                               {"normalization", t.normalization},
                               {"by", t.by},
                               {"difference", t.difference}});
  }
  json["untold"] = m.untold;
  json["kept"] = Json::array();
  for (const MissingTensor& t : m.kept)
    json["kept"].push_back({{"name", t.name}, {"expected", t.expected}});
  json["extra"] = TensorsJson(m.extra);
  json["ignored"] = TensorsJson(m.ignored);
  return json;
}

void PrintGrafted(const std::vector<GraftedLayer>& layers) {
  if (layers.empty()) return;
  double difference = 0;
  std::map<std::string, size_t> by;
  for (const GraftedLayer& t : layers) {
    difference = std::max(difference, t.difference);
    ++by[t.by];
  }
  std::printf("%zu layers became the constants of products, told by", layers.size());
  const char* comma = "";
  for (const auto& [what, count] : by) {
    std::printf("%s %s (%zu)", comma, what.c_str(), count);
    comma = ",";
  }
  std::printf("; at most %.3g from the graph's own values\n", difference);
}

void PrintMatches(const WeightMatches& m) {
  if (m.matched.empty() && m.missing.empty() && m.extra.empty()) return;  // it did not come to that
  std::printf("%zu tensors matched%s%s%s", m.matched.size(), m.prefix.empty() ? "" : " behind '",
              Printable(m.prefix).c_str(), m.prefix.empty() ? "" : "'");
  std::printf(", %zu missing, %zu of another shape, %zu extra, %zu ignored", m.missing.size(),
              m.misshapen.size(), m.extra.size(), m.ignored.size());
  std::printf(m.kept.empty() ? "\n" : ", %zu of the graph keep their own values\n", m.kept.size());
  PrintGrafted(m.grafted);
  for (const MissingTensor& t : m.missing)
    std::printf("  missing    %s %s\n", Printable(t.name).c_str(), t.expected.c_str());
  for (const MisshapenTensor& t : m.misshapen) {
    std::printf("  shape      %s is %s, the graph needs %s\n", Printable(t.source).c_str(),
                Printable(t.found).c_str(), t.expected.c_str());
  }
  for (const MatchedTensor& t : m.extra)
    std::printf("  extra      %s %s\n", Printable(t.source).c_str(), t.shape.c_str());
}

}  // namespace

Status RunRecipe(const RecipeFlags& flags, const ImportOptions& options, const std::string& out,
                 bool quiet) {
  if (flags.weights.empty()) return UsageError("--graph needs --weights FILE");
  std::error_code error;
  if (!IsRecipe(flags.graph) && !std::filesystem::exists(flags.graph, error)) {
    std::string names;
    for (const RecipeInfo& recipe : ListRecipes())
      names += (names.empty() ? "" : ", ") + std::string(recipe.name);
    return UsageError("--graph " + flags.graph + ": no such file or graph; by name there are " +
                      names);
  }
  WeightsRequest request;
  request.graph = flags.graph;
  request.allow_extra = flags.allow_extra;
  request.import = options;
  if (flags.epsilon >= 0) request.import.epsilon = flags.epsilon;
  WHIT_RETURN_IF_ERROR(ReadSettings(flags.settings, &request.options));
  const auto rename = RenameRules::Parse(flags.renames);
  if (!rename.ok()) return UsageError("--rename: " + rename.status().message());
  if (!rename->empty()) request.rename = *rename;
  std::vector<std::string> notes;
  ReadConfig(flags.weights, flags.graph, &request.options, &notes);
  ImportReport report;
  WeightMatches matches;
  Status status;
  {
    Progress progress("importing " + flags.weights);
    status = ImportWithWeights(flags.weights, out, request, &report, &matches);
  }
  const auto bytes = status.ok() ? std::filesystem::file_size(out, error) : 0;
  if (flags.json) {
    Json json = {{"graph", flags.graph}, {"weights", flags.weights}, {"out", out}};
    json["ok"] = status.ok();
    if (status.ok()) json["operators"] = report.operators, json["bytes"] = bytes;
    json.update(MatchesJson(matches));
    PrintJson(json);
    return status;
  }
  for (const std::string& note : notes) {
    if (!quiet) std::printf("%s\n", Printable(note).c_str());
  }
  if (!quiet) PrintMatches(matches);
  if (status.ok() && !quiet) {
    std::printf("%s: %llu operators, %s\n", out.c_str(),
                static_cast<unsigned long long>(report.operators), HumanBytes(bytes).c_str());
  }
  return status;
}

std::string RecipeList() {
  std::string text;
  for (const RecipeInfo& recipe : ListRecipes()) {
    text += std::string("  ") + recipe.name + ": " + recipe.help + ".";
    if (*recipe.aliases != 0) text += std::string(" Also ") + recipe.aliases + ".";
    text += " --set";
    for (const RecipeOption& o : recipe.options) {
      text += std::string(" ") + o.name +
              (o.value > 0 ? "=" + std::to_string(o.value) : std::string("=(needed)"));
    }
    text += "\n";
  }
  return text;
}

}  // namespace whit::tools
