// whit attack: flip bits of a model and see what becomes of it, with and without protection.
#include <charconv>
#include <cstdio>
#include <cstring>

#include "platform/mapping.h"
#include "tools/whit/attack.h"
#include "tools/whit/attack_page.h"
#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"
#include "tools/whit/progress.h"
#include "tools/whit/samples.h"

namespace whit::tools {

namespace {

struct AttackFlags {
  std::string file, labels, report;
  SampleFlags samples;
  AttackOptions attack;
  size_t most_samples = 200;
  bool json = false;
};

// One class a sample: an array of whole numbers, or a text file with a number a line.
Result<std::vector<size_t>> ReadClasses(const std::string& path) {
  std::vector<size_t> classes;
  if (path.ends_with(".npy")) {
    WHIT_ASSIGN_OR_RETURN(const NpyArray array, ReadNpy(path));
    const auto take = [&](auto zero) {
      for (size_t at = 0; at + sizeof(zero) <= array.data.size(); at += sizeof(zero)) {
        std::memcpy(&zero, array.data.data() + at, sizeof(zero));
        classes.push_back(static_cast<size_t>(zero));
      }
    };
    if (array.type == Type::kUint8) take(uint8_t{});
    if (array.type == Type::kInt32) take(int32_t{});
    if (array.type == Type::kInt64) take(int64_t{});
    if (!classes.empty()) return classes;
    return BadInput(path + ": " + TypeName(array.type) +
                    " is not uint8, int32 or int64, or there are none");
  }
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> text, ReadWholeFile(path, 16 << 20));
  const char* at = reinterpret_cast<const char*>(text.data());
  const char* const end = at + text.size();
  while (at < end) {
    size_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (next < end && *next != '\n' && *next != '\r'))
      return BadInput(path + ": line " + std::to_string(classes.size() + 1) +
                      " is not a class number");
    classes.push_back(value);
    for (at = next; at < end && (*at == '\n' || *at == '\r');) ++at;
  }
  return classes;
}

Json CurveJson(const AttackCurve& curve) {
  Json points = Json::array();
  for (const auto& p : curve.points) {
    points.push_back(
        {{"flips", p.flips}, {"accuracy", p.accuracy}, {"least", p.least}, {"most", p.most}});
  }
  return {{"name", curve.name},
          {"points", points},
          {"flips_to_chance", curve.to_chance},
          {"pages_hit", curve.pages_hit},
          {"pages_repaired", curve.pages_repaired},
          {"accuracy_repaired", curve.accuracy_repaired},
          {"bytes_restored", curve.bytes_restored}};
}

Json ReportJson(const AttackReport& report) {
  Json curves = Json::array(), sites = Json::array();
  for (const AttackCurve& c : report.curves) curves.push_back(CurveJson(c));
  for (const AttackSite& s : report.sites) {
    sites.push_back({{"site", s.name},
                     {"bits", s.bits},
                     {"flips", s.flips},
                     {"found_by_scrub", s.found_by_scrub},
                     {"changed_output", s.changed_output},
                     {"found_in_run", s.found_in_run},
                     {"found_at_all", s.found_at_all},
                     {"wrong_answers", s.wrong_answers},
                     {"restored", s.restored}});
  }
  return {{"file", report.file},
          {"seed", report.seed},
          {"samples", report.samples},
          {"classes", report.classes},
          {"own_answers", report.own_answers},
          {"accuracy", report.accuracy},
          {"chance", report.chance},
          {"curves", curves},
          {"sites", sites}};
}

void PrintReport(const AttackReport& report) {
  std::printf("%s: %zu samples, accuracy %.1f %%%s, chance %.1f %%, seed %llu\n",
              Printable(report.file).c_str(), report.samples, 100 * report.accuracy,
              report.own_answers ? " (of its own answers)" : "", 100 * report.chance,
              static_cast<unsigned long long>(report.seed));
  for (const AttackCurve& c : report.curves) {
    std::printf("%s, unprotected:", c.name.c_str());
    for (const auto& p : c.points)
      std::printf(" %llu: %.1f %%", static_cast<unsigned long long>(p.flips), 100 * p.accuracy);
    std::printf("\n  flips to chance, trial by trial:");
    for (uint64_t flips : c.to_chance)
      std::printf(flips == 0 ? " never" : " %llu", static_cast<unsigned long long>(flips));
    std::printf("\n  protected: %llu of %llu pages repaired, accuracy %.1f %%, bytes %s\n",
                static_cast<unsigned long long>(c.pages_repaired),
                static_cast<unsigned long long>(c.pages_hit), 100 * c.accuracy_repaired,
                c.bytes_restored ? "the original's" : "DIFFER");
  }
  std::printf("%-40s %8s %8s %8s %8s %8s %8s\n", "single flips", "flips", "scrub", "changed",
              "in run", "wrong", "restored");
  for (const AttackSite& s : report.sites) {
    std::printf("%-40s %8llu %8llu %8llu %8llu %8llu %8llu\n", s.name.c_str(),
                static_cast<unsigned long long>(s.flips),
                static_cast<unsigned long long>(s.found_by_scrub),
                static_cast<unsigned long long>(s.changed_output),
                static_cast<unsigned long long>(s.found_in_run),
                static_cast<unsigned long long>(s.wrong_answers),
                static_cast<unsigned long long>(s.restored));
  }
}

Status RunAttack(const AttackFlags& flags) {
  WHIT_RETURN_IF_ERROR(NeedCrypto());
  WHIT_ASSIGN_OR_RETURN(const OpenedModel opened, OpenModel(flags.file));
  if (!opened.bytes.empty()) {
    return UsageError(flags.file + " is not a .whit file: repair needs one; whit import " +
                      flags.file + " -o model.whit");
  }
  WHIT_ASSIGN_OR_RETURN(std::vector<Sample> samples, flags.samples.Read(opened.model));
  AttackOptions options = flags.attack;
  options.seed = flags.samples.seed;
  if (!flags.labels.empty()) {
    WHIT_ASSIGN_OR_RETURN(options.classes, ReadClasses(flags.labels));
    if (options.classes.size() < samples.size()) {
      return BadInput(flags.labels + ": " + std::to_string(options.classes.size()) +
                      " classes for " + std::to_string(samples.size()) + " samples");
    }
  }
  if (samples.size() > flags.most_samples) samples.resize(flags.most_samples);
  if (!options.classes.empty()) options.classes.resize(samples.size());
  Result<AttackReport> report = Status(StatusCode::kRuntime, "");
  {
    Progress progress("attacking " + flags.file);
    options.progress = [&](double share) { progress.Set(share); };
    report = Attack(flags.file, samples, options);
  }
  if (!report.ok()) return report.status();
  if (flags.json) {
    PrintJson(ReportJson(*report));
  } else {
    PrintReport(*report);
  }
  if (flags.report.empty()) return OkStatus();
  const std::string page = AttackPage(*report);
  const std::span<const std::byte> chunk = std::as_bytes(std::span(page));
  return WriteFileAtomically(flags.report, std::span(&chunk, 1));
}

}  // namespace

void AddAttack(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<AttackFlags>(
      app, action, "attack", "Flip bits of a classifier, unprotected and protected",
      "whit attack resnet.whit --data pictures.npy --labels classes.npy --report attack.html",
      RunAttack);
  cli->add_option("FILE", flags->file, "A .whit file with a hash tree; it is not changed")
      ->required();
  flags->samples.AddTo(cli);
  cli->add_option("--labels", flags->labels,
                  "The classes of the samples, .npy or a text with a number a line; default: the "
                  "undisturbed model's own answers");
  cli->add_option("--samples", flags->most_samples, "Samples used, at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  cli->add_option("--trials", flags->attack.trials, "Trials of each curve, with other flips")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  cli->add_option("--most-flips", flags->attack.most_flips, "Flips of a trial, at most")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  cli->add_option("--campaign", flags->attack.campaign, "Single flips, each on its own")
      ->check(CLI::Range(0, 100000000))
      ->capture_default_str();
  cli->add_option("--isa", flags->attack.isa, "Force an instruction-set tier");
  cli->add_option("--report", flags->report, "Write an HTML page with a plot");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
