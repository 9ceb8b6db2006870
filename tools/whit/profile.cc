#include "tools/whit/profile.h"

#include <algorithm>

#include "tools/whit/markup.h"

namespace whit::tools {

namespace {

double Us(const StepTime& s) { return static_cast<double>(s.ns) * 1e-3; }

double Share(const Profile& p, const StepTime& s) {
  return static_cast<double>(s.ns) / static_cast<double>(p.total_ns());
}

// Products only: other operators count elements, for which no unit has a peak.
bool IsProduct(const StepTime& s) {
  for (const char* op : {"Conv", "FullyConnected", "MatMul", "Lstm", "Svdf", "Rnn"}) {
    if (s.op.find(op) != std::string::npos) return true;
  }
  return false;
}

double Gmacs(const StepTime& s) {
  return IsProduct(s) && s.ns > 0 ? static_cast<double>(s.macs) / static_cast<double>(s.ns) : 0;
}

double PeakOf(const Profile& p, const StepTime& s) {
  return (s.floats ? p.peak.float_gmacs : p.peak.int8_gmacs) * s.threads;
}

std::string Number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// The end of a long name says more than its beginning, which all nodes of a network share. Cut
// where no UTF-8 sequence is.
std::string Tail(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  size_t from = text.size() - most;
  while (from < text.size() && (static_cast<uint8_t>(text[from]) & 0xc0) == 0x80) ++from;
  return "..." + text.substr(from);
}

// "us", "%", and for products what of the peak.
std::string Figures(const Profile& p, const StepTime& s) {
  std::string text = Number(Us(s), 1) + " us, " + Number(100 * Share(p, s), 1) + " %";
  if (Gmacs(s) > 0) text += ", " + Number(Gmacs(s), 1) + " GMAC/s";
  const double of_peak = ShareOfPeak(p, s);
  if (of_peak > 0) text += ", " + Number(100 * of_peak, 0) + " % of peak";
  return text;
}

}  // namespace

void Profile::Add(const StepProfile& p) {
  StepTime& s = steps[p.step];
  if (s.op.empty()) {
    s.node = p.node, s.op = p.op, s.implementation = p.implementation, s.tier = p.tier;
    s.macs = p.macs;
  }
  s.ns = std::min(s.ns, p.nanoseconds);
}

void Profile::AddPlan(const Runner& runner) {
  const std::vector<PlanStep> plan = DescribePlan(runner);
  for (auto& [i, s] : steps) {
    s.floats = plan[i].floats;
    s.threads = plan[i].threads;
  }
}

uint64_t Profile::total_ns() const {
  uint64_t total = 0;
  for (const auto& [i, s] : steps) total += s.ns;
  return std::max<uint64_t>(total, 1);
}

double ShareOfPeak(const Profile& profile, const StepTime& step) {
  const double peak = PeakOf(profile, step);
  return peak > 0 ? Gmacs(step) / peak : 0;
}

void PrintProfile(const Profile& p, FILE* to) {
  std::fprintf(to, "%4s %9s %6s %8s %6s  %s\n", "step", "us", "%", "GMAC/s", "% peak", "operator");
  for (const auto& [i, s] : p.steps) {
    const double of_peak = ShareOfPeak(p, s);
    std::fprintf(to, "%4zu %9.1f %6.1f %8s %6s  %s (%s, %s) %s\n", i, Us(s), 100 * Share(p, s),
                 Gmacs(s) > 0 ? Number(Gmacs(s), 1).c_str() : "",
                 of_peak > 0 ? Number(100 * of_peak, 0).c_str() : "", s.op.c_str(),
                 s.implementation.c_str(), s.tier.c_str(), Printable(s.node).c_str());
  }
  std::fprintf(to, "peak of one thread, measured just now: int8 %.1f, float %.1f GMAC/s\n",
               p.peak.int8_gmacs, p.peak.float_gmacs);
}

Json ProfileJson(const Profile& p) {
  Json list = Json::array();
  for (const auto& [i, s] : p.steps) {
    list.push_back({{"step", i},
                    {"node", s.node},
                    {"op", s.op},
                    {"implementation", s.implementation},
                    {"tier", s.tier},
                    {"us", Us(s)},
                    {"share", Share(p, s)},
                    {"gmacs", Gmacs(s)},
                    {"peak_share", ShareOfPeak(p, s)}});
  }
  return list;
}

std::string ProfileSvg(const Profile& p) {
  constexpr int kLine = 18, kLeft = 480, kBar = 400, kWidth = 1180, kTop = 56;
  uint64_t longest = 1;
  for (const auto& [i, s] : p.steps) longest = std::max(longest, s.ns);
  const int height = kTop + kLine * static_cast<int>(p.steps.size()) + 12;
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(kWidth) +
                    "\" height=\"" + std::to_string(height) +
                    "\" font-family=\"sans-serif\" font-size=\"12\">\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
                    "<text x=\"12\" y=\"22\" font-size=\"15\">" +
                    EscapedForXml(p.title) +
                    "</text>\n"
                    "<text x=\"12\" y=\"42\" fill=\"#555555\">dark: what the step's products would "
                    "take at this machine's peak</text>\n";
  int y = kTop - kLine;
  for (const auto& [i, s] : p.steps) {
    y += kLine;
    const double width = kBar * static_cast<double>(s.ns) / static_cast<double>(longest);
    const double at_peak = width * std::min(1.0, ShareOfPeak(p, s));
    const auto text = [&](double x, const char* extra, const std::string& words) {
      svg += "<text x=\"" + Number(x, 1) + "\" y=\"" + std::to_string(y + 13) + "\"" + extra + ">" +
             EscapedForXml(words) + "</text>\n";
    };
    const auto bar = [&](double w, const char* colour) {
      svg += "<rect x=\"" + std::to_string(kLeft) + "\" y=\"" + std::to_string(y + 2) +
             "\" width=\"" + Number(w, 1) + "\" height=\"" + std::to_string(kLine - 4) +
             "\" fill=\"" + colour + "\"/>\n";
    };
    svg += "<g><title>" + EscapedForXml(s.node) + "</title>\n";
    text(kLeft - 8, " text-anchor=\"end\"",
         std::to_string(i) + " " + s.op + " (" + s.implementation + ", " + s.tier + ") " +
             Tail(s.node, 16));
    bar(width, s.floats ? "#f2b880" : "#9ecae1");
    if (at_peak > 0) bar(at_peak, s.floats ? "#b35806" : "#2171b5");
    text(kLeft + width + 6, " fill=\"#555555\"", Figures(p, s));
    svg += "</g>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace whit::tools
