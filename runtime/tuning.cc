#include "runtime/tuning.h"

#include <charconv>

#include "platform/cpu.h"
#include "platform/thread_pool.h"

namespace whit {

namespace {

constexpr std::string_view kMagic = "whit-tuning 1";
constexpr int kMostShift = 3;  // blocks of an eighth to eight times the default

// FNV-1a, 64 bits: names what a file was made for; nothing is trusted because of it.
class Fnv {
 public:
  void Add(const void* data, size_t bytes) {
    const auto* p = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < bytes; ++i) hash_ = (hash_ ^ p[i]) * 0x100000001b3ull;
  }
  std::string Hex() const {
    char text[17];
    char* at = text;
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[hash_ >> shift & 15];
    return {text, 16};
  }

 private:
  uint64_t hash_ = 0xcbf29ce484222325ull;
};

Status LineError(int line, const std::string& rule) {
  return Status(StatusCode::kInvalidModel, "tuning, line " + std::to_string(line) + ": " + rule +
                                               "; make it again with whit tune, or leave it out");
}

// Words of a text, line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  /// Next line, or false at the end.
  bool Next() {
    if (text_.empty()) return false;
    const size_t end = text_.find('\n');
    line_ = text_.substr(0, end);
    text_ = end == std::string_view::npos ? std::string_view() : text_.substr(end + 1);
    ++number_;
    return true;
  }
  std::string_view line() const { return line_; }
  int number() const { return number_; }
  std::string_view Word() {
    const size_t end = line_.find(' ');
    const std::string_view word = line_.substr(0, end);
    line_ = end == std::string_view::npos ? std::string_view() : line_.substr(end + 1);
    return word;
  }
  template <typename T>
  bool Number(T lo, T hi, T* value) {
    const std::string_view word = Word();
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
    return error == std::errc() && end == word.data() + word.size() && *value >= lo && *value <= hi;
  }

 private:
  std::string_view text_, line_;
  int number_ = 0;
};

Result<std::string> Field(Lines* lines, std::string_view name) {
  if (!lines->Next() || lines->Word() != name || lines->line().empty() ||
      lines->line().find(' ') != std::string_view::npos || lines->line().size() > 64) {
    return LineError(lines->number(), "'" + std::string(name) + " WORD' expected");
  }
  return std::string(lines->line());
}

Result<TunedStep> ParseStep(Lines* lines, int after, size_t nodes) {
  TunedStep step;
  const bool head =
      lines->Word() == "step" && lines->Number(0, static_cast<int>(nodes) - 1, &step.node);
  step.implementation = lines->Word();
  if (!head || step.implementation.empty() || step.implementation.size() > 32 ||
      !lines->Number(-kMostShift, kMostShift, &step.block_shift) ||
      !lines->Number(1, ThreadPool::kMaxThreads, &step.threads) ||
      !lines->Number<uint64_t>(0, UINT64_MAX, &step.ns) || !lines->line().empty()) {
    return LineError(lines->number(),
                     "'step NODE IMPLEMENTATION BLOCK_SHIFT THREADS NS' expected, NODE below " +
                         std::to_string(nodes));
  }
  if (step.node <= after) {
    return LineError(lines->number(), "nodes ascend, " + std::to_string(step.node) + " follows " +
                                          std::to_string(after));
  }
  return step;
}

}  // namespace

std::string ModelDigest(const ModelFile& file) {
  Fnv hash;
  // Of what is run: signing a model does not change that.
  const uint64_t weights = file.weights_section().size();
  hash.Add(&weights, sizeof(weights));
  hash.Add(file.graph_section().data(), file.graph_section().size());
  return hash.Hex();
}

std::string CpuDigest() {
  Fnv hash;
  const std::string name = CpuName();
  hash.Add(name.data(), name.size());
  for (const std::string_view feature : FeatureNames(HostCpu())) {
    hash.Add(" ", 1);
    hash.Add(feature.data(), feature.size());
  }
  return hash.Hex();
}

std::string FormatTuning(const Tuning& t) {
  std::string text = std::string(kMagic) + "\nmodel " + t.model + "\ncpu " + t.cpu + "\ntier " +
                     t.tier + "\nthreads " + std::to_string(t.threads) + "\n";
  for (const TunedStep& s : t.steps) {
    text += "step " + std::to_string(s.node) + " " + s.implementation + " " +
            std::to_string(s.block_shift) + " " + std::to_string(s.threads) + " " +
            std::to_string(s.ns) + "\n";
  }
  return text + "end\n";
}

Result<Tuning> ParseTuning(std::string_view text, size_t nodes) {
  Lines lines(text);
  if (!lines.Next() || lines.line() != kMagic) {
    return LineError(1, "'" + std::string(kMagic) + "' expected");
  }
  Tuning t;
  WHIT_ASSIGN_OR_RETURN(t.model, Field(&lines, "model"));
  WHIT_ASSIGN_OR_RETURN(t.cpu, Field(&lines, "cpu"));
  WHIT_ASSIGN_OR_RETURN(t.tier, Field(&lines, "tier"));
  if (!lines.Next() || lines.Word() != "threads" ||
      !lines.Number(1, ThreadPool::kMaxThreads, &t.threads) || !lines.line().empty()) {
    return LineError(lines.number(), "'threads N' expected");
  }
  int last = -1;
  while (lines.Next() && lines.line() != "end") {
    WHIT_ASSIGN_OR_RETURN(TunedStep step, ParseStep(&lines, last, nodes));
    last = step.node;
    t.steps.push_back(std::move(step));
  }
  if (lines.line() != "end" || lines.Next())
    return LineError(lines.number(), "'end' expected last");
  return t;
}

}  // namespace whit
