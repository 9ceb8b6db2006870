#include "tools/whit/inspect_text.h"

#include <langinfo.h>
#include <locale.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "tools/whit/picture.h"

namespace whit::tools {

namespace {

constexpr size_t kSparkColumns = 16;

std::string Decibels(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::isfinite(value) ? "%.1f" : "-", value);
  return text;
}

// What the orders compare: descending, but for decibels, where the least is the worst.
double KeyOf(const FileReport& report, size_t i, InspectOrder order) {
  const TensorReport& r = report.tensors[i];
  const TensorStatistics& s = r.statistics;
  switch (order) {
    case InspectOrder::kSize:
      return static_cast<double>(r.entry.elements());
    case InspectOrder::kOutliers:
      return s.farthest;
    case InspectOrder::kZeros:
      return s.elements == 0 ? 0 : static_cast<double>(s.zeros) / static_cast<double>(s.elements);
    case InspectOrder::kInt8:
      return r.noise ? -r.noise->int8_tensor : -INFINITY;
    case InspectOrder::kOutput:
      return report.sensitivity.empty() || !report.sensitivity[i].int4
                 ? -INFINITY
                 : -*report.sensitivity[i].int4;
    default:
      return 0;
  }
}

std::vector<size_t> Ordered(const FileReport& report, InspectOrder order) {
  std::vector<size_t> indices(report.tensors.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  const auto less = [&](size_t a, size_t b) {
    const TensorReport &x = report.tensors[a], &y = report.tensors[b];
    if (order == InspectOrder::kFindings) return MattersMore(x, y);
    if (order == InspectOrder::kName) return x.entry.name < y.entry.name;
    // Sums of the largest numbers there are may be none.
    const double p = KeyOf(report, a, order), q = KeyOf(report, b, order);
    return std::isnan(q) ? !std::isnan(p) : p > q;
  };
  if (order != InspectOrder::kFile) std::stable_sort(indices.begin(), indices.end(), less);
  return indices;
}

// A long name without its middle: both ends tell names apart.
std::string Shortened(const std::string& name, int columns) {
  const std::string text = Printable(name);
  const auto begins = [](char c) { return (static_cast<uint8_t>(c) & 0xc0u) != 0x80u; };
  std::vector<size_t> starts;  // of its characters
  for (size_t i = 0; i < text.size(); ++i) {
    if (begins(text[i])) starts.push_back(i);
  }
  const auto most = static_cast<size_t>(columns);
  if (starts.size() <= most) return Fitted(text, columns);
  const size_t head = most * 2 / 3 - 2, tail = most - head - 3;
  return text.substr(0, starts[head]) + "..." + text.substr(starts[starts.size() - tail]);
}

struct Told {
  const TensorReport* tensor;
  const Finding* finding;
};

std::vector<Told> AllFindings(const FileReport& report) {
  std::vector<Told> all;
  for (const TensorReport& r : report.tensors) {
    for (const Finding& f : r.findings) all.push_back({&r, &f});
  }
  std::stable_sort(all.begin(), all.end(), [](const Told& a, const Told& b) {
    if (a.finding->severity != b.finding->severity)
      return a.finding->severity > b.finding->severity;
    return a.finding->share > b.finding->share;
  });
  return all;
}

void PrintFindings(const FileReport& report, size_t top) {
  const std::vector<Told> all = AllFindings(report);
  constexpr char kMarks[] = {' ', '*', '!'};
  for (size_t i = 0; i < std::min(all.size(), top); ++i) {
    const Finding& f = *all[i].finding;
    const std::string& whole = all[i].tensor->entry.name;
    const std::string name = whole.size() > 72 ? Shortened(whole, 72) : Printable(whole);
    std::printf("%c %s in %s: %s\n", kMarks[static_cast<int>(f.severity)], f.what.c_str(),
                name.c_str(), Printable(f.detail).c_str());
  }
  if (all.size() > top) std::printf("  ... %zu more findings\n", all.size() - top);
  if (all.empty()) std::printf("  nothing stands out\n");
  std::printf("\n");
}

void PrintRow(const FileReport& report, size_t i, int width, bool utf8) {
  const TensorReport& r = report.tensors[i];
  std::printf("%s  %-8s %-15s ", Shortened(r.entry.name, width).c_str(), ElementName(r.entry.type),
              r.entry.ShapeText().c_str());
  if (!r.unreadable.empty()) {
    std::printf("not readable: %s\n", Printable(r.unreadable).c_str());
    return;
  }
  const TensorStatistics& s = r.statistics;
  const double zeros =
      s.elements == 0 ? 0 : 100 * static_cast<double>(s.zeros) / static_cast<double>(s.elements);
  std::printf("%10.3g %s %-10.3g %8.1f %6.1f%%", s.min,
              Sparkline(s.histogram, kSparkColumns, utf8).c_str(), s.max, s.farthest, zeros);
  if (r.noise)
    std::printf(" %6s %6s", Decibels(r.noise->int8_tensor).c_str(),
                Decibels(r.noise->int8_channel).c_str());
  else
    std::printf(" %6s %6s", "", "");
  if (!report.sensitivity.empty()) {
    const OutputNoise& out = report.sensitivity[i];
    std::printf(" %7s %7s", out.int8 ? Decibels(*out.int8).c_str() : "",
                out.int4 ? Decibels(*out.int4).c_str() : "");
  }
  std::printf("\n");
}

}  // namespace

bool Utf8Locale() {
  const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale == nullptr) return false;
  const bool utf8 = std::strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
  freelocale(locale);
  return utf8;
}

std::string Sparkline(std::span<const int64_t> counts, size_t columns, bool utf8) {
  static const char* const kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char* const kPlain[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
  std::vector<int64_t> joined(columns);
  for (size_t i = 0; i < counts.size(); ++i) joined[i * columns / counts.size()] += counts[i];
  const auto largest =
      static_cast<double>(std::max<int64_t>(*std::max_element(joined.begin(), joined.end()), 1));
  std::string text;
  for (const int64_t n : joined) {
    const auto eighths = static_cast<size_t>(std::ceil(8 * static_cast<double>(n) / largest));
    text += (utf8 ? kBlocks : kPlain)[eighths];
  }
  return text;
}

void PrintReport(const FileReport& report, InspectOrder order, size_t top) {
  const bool utf8 = Utf8Locale();
  std::printf("%s: %s, %zu tensors, %s elements, %s\n\n", Printable(report.file).c_str(),
              report.format.c_str(), report.tensors.size(), HumanCount(report.elements).c_str(),
              HumanBytes(report.bytes).c_str());
  PrintFindings(report, top);
  std::vector<size_t> rows = Ordered(report, order);
  const size_t left = rows.size() > top ? rows.size() - top : 0;
  rows.resize(rows.size() - left);
  size_t longest = 4;
  for (const size_t i : rows) longest = std::max(longest, report.tensors[i].entry.name.size());
  const int width = static_cast<int>(std::min<size_t>(longest, 48));
  std::printf("%-*s  %-8s %-15s %10s %-16s %-10s %8s %7s %6s %6s%s\n", width, "name", "type",
              "shape", "min", "values", "max", "farthest", "zeros", "int8", "by ch.",
              report.sensitivity.empty() ? "" : " out.int8 out.int4");
  for (const size_t i : rows) PrintRow(report, i, width, utf8);
  if (left > 0) std::printf("... %zu more tensors (--top)\n", left);
}

}  // namespace whit::tools
