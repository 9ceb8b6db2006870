#include "tools/whit/attack_page.h"

#include <algorithm>
#include <cmath>

#include "tools/import/format_text.h"
#include "tools/whit/markup.h"

namespace whit::tools {

namespace {

constexpr int kWidth = 760, kHeight = 360, kLeft = 56, kRight = 28, kTop = 16, kBottom = 44;
constexpr const char* kColours[] = {"#d9534f", "#a566cc"};
constexpr const char* kProtectedColour = "#2e9e5b";

// 0 flips, then powers of two, at equal distances.
class Plot {
 public:
  explicit Plot(const AttackReport& report) : report_(report) {
    for (const AttackCurve& c : report.curves) points_ = std::max(points_, c.points.size());
  }

  std::string Svg() const {
    std::string svg = FormatText(
        "<svg viewBox='0 0 %d %d' width='%d' role='img' aria-label='accuracy against flips'>\n",
        kWidth, kHeight, kWidth);
    svg += Axes();
    for (size_t i = 0; i < report_.curves.size(); ++i)
      svg += Curve(report_.curves[i], kColours[i % 2], static_cast<int>(i));
    svg += Protected();
    return svg + "</svg>\n";
  }

 private:
  double X(size_t point) const {
    const double last = static_cast<double>(std::max<size_t>(2, points_) - 1);
    return kLeft + (kWidth - kLeft - kRight) * static_cast<double>(point) / last;
  }
  static double Y(double accuracy) { return kTop + (kHeight - kTop - kBottom) * (1 - accuracy); }

  std::string Axes() const {
    std::string svg;
    for (int p = 0; p <= 100; p += 25) {
      const double y = Y(p / 100.0);
      svg += FormatText("<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#8884'/>", kLeft,
                        kWidth - kRight, y, y);
      svg +=
          FormatText("<text x='%d' y='%.1f' text-anchor='end'>%d %%</text>\n", kLeft - 6, y + 4, p);
    }
    for (size_t i = 0; i < points_; ++i) {
      const auto flips = i == 0 ? 0ull : 1ull << (i - 1);
      svg += FormatText("<text x='%.1f' y='%d' text-anchor='middle'>%llu</text>", X(i),
                        kHeight - kBottom + 18, flips);
    }
    svg += FormatText(
        "\n<text x='%d' y='%d' text-anchor='middle'>flipped bits of the weights</text>\n",
        (kLeft + kWidth - kRight) / 2, kHeight - 8);
    const double y = Y(report_.chance);
    svg +=
        FormatText("<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#888' stroke-dasharray='4'/>",
                   kLeft, kWidth - kRight, y, y);
    return svg + FormatText("<text x='%d' y='%.1f' text-anchor='end'>chance</text>\n",
                            kWidth - kRight, y - 5);
  }

  // The mean over the trials inside of the band from the worst to the best.
  std::string Curve(const AttackCurve& curve, const char* colour, int index) const {
    std::string band, line;
    for (size_t i = 0; i < curve.points.size(); ++i) {
      band += FormatText("%.1f,%.1f ", X(i), Y(curve.points[i].most));
      line += FormatText("%.1f,%.1f ", X(i), Y(curve.points[i].accuracy));
    }
    for (size_t i = curve.points.size(); i-- > 0;)
      band += FormatText("%.1f,%.1f ", X(i), Y(curve.points[i].least));
    return "<polygon fill='" + std::string(colour) + "' fill-opacity='.13' points='" + band +
           "'/>\n<polyline fill='none' stroke-width='2' stroke='" + colour + "' points='" + line +
           "'/>\n" +
           FormatText("<text x='%d' y='%.1f' style='fill:%s'>%s, unprotected</text>\n", kLeft + 12,
                      Y(0.3) + 18 * index, colour, curve.name.c_str());
  }

  std::string Protected() const {
    if (report_.curves.empty()) return "";
    double accuracy = 1;
    for (const AttackCurve& c : report_.curves) accuracy = std::min(accuracy, c.accuracy_repaired);
    const double y = Y(accuracy);
    return FormatText("<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='%s' stroke-width='2'/>",
                      kLeft, kWidth - kRight, y, y, kProtectedColour) +
           FormatText(
               "<text x='%d' y='%.1f' style='fill:%s'>scrubbed: repaired from storage</text>\n",
               kLeft + 12, Y(0.3) + 18.0 * static_cast<double>(report_.curves.size()),
               kProtectedColour);
  }

  const AttackReport& report_;
  size_t points_ = 0;
};

std::string ToChance(const AttackCurve& curve) {
  std::vector<uint64_t> reached;
  for (uint64_t flips : curve.to_chance) {
    if (flips > 0) reached.push_back(flips);
  }
  if (reached.empty()) return "never";
  std::sort(reached.begin(), reached.end());
  return FormatText("%llu to %llu (%zu of %zu trials)", static_cast<unsigned long long>(reached[0]),
                    static_cast<unsigned long long>(reached.back()), reached.size(),
                    curve.to_chance.size());
}

std::string CurveTable(const AttackReport& report) {
  std::string html =
      "<div><table><tr><th>attacker</th><th>flips to chance</th><th>pages hit</th><th>pages "
      "repaired</th><th>accuracy after repair</th><th>bytes</th></tr>\n";
  for (const AttackCurve& c : report.curves) {
    html += "<tr><td>" + EscapedForXml(c.name) + "</td><td>" + ToChance(c) + "</td>" +
            FormatText("<td>%llu</td><td>%llu</td><td>%.1f %%</td><td>%s</td></tr>\n",
                       static_cast<unsigned long long>(c.pages_hit),
                       static_cast<unsigned long long>(c.pages_repaired), 100 * c.accuracy_repaired,
                       c.bytes_restored ? "the original's" : "DIFFER");
  }
  return html + "</table></div>\n";
}

std::string SiteTable(const AttackReport& report) {
  std::string html =
      "<div><table><tr><th>site</th><th>single flips</th><th>found by the next "
      "scrub</th><th>changed an "
      "output</th><th>of those found in the same run</th><th>wrong answers given out</th>"
      "<th>restored</th></tr>\n";
  const auto n = [](uint64_t v) { return "<td>" + std::to_string(v) + "</td>"; };
  for (const AttackSite& s : report.sites) {
    html += "<tr><td>" + EscapedForXml(s.name) + "</td>" + n(s.flips) + n(s.found_by_scrub) +
            n(s.changed_output) + n(s.found_in_run) + n(s.wrong_answers) + n(s.restored) +
            "</tr>\n";
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string AttackPage(const AttackReport& report) {
  std::string html =
      "<!doctype html><html lang='en'><meta charset='utf-8'><title>whit attack</title>"
      "<meta name='viewport' content='width=device-width'><style>:root{color-scheme:light dark}"
      "h1{overflow-wrap:anywhere}body{font:15px/1.5 sans-serif;max-width:800px;margin:2em "
      "auto;padding:0 1em}"
      "svg{max-width:100%;height:auto}svg text{font:12px sans-serif;fill:currentColor}"
      "div{overflow-x:auto}table{border-collapse:collapse;margin:1em 0}"
      "td,th{border:1px solid #8888;padding:.3em .7em;text-align:right}"
      "td:first-child,th:first-child{text-align:left}</style>\n<h1>" +
      EscapedForXml(report.file) + "</h1>\n";
  html += FormatText(
      "<p>%zu samples, %zu classes, accuracy %.1f %% undisturbed%s; chance is taken as "
      "%.1f %%. Seed %llu.</p>\n",
      report.samples, report.classes, 100 * report.accuracy,
      report.own_answers ? " (right is what the undisturbed model says)" : "", 100 * report.chance,
      static_cast<unsigned long long>(report.seed));
  return html + Plot(report).Svg() + "<h2>Flips that stay</h2>\n" + CurveTable(report) +
         "<h2>Single flips, site by site</h2>\n" + SiteTable(report) + "</html>\n";
}

}  // namespace whit::tools
