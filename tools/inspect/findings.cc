#include "tools/inspect/findings.h"

#include <algorithm>
#include <cmath>

#include "tools/import/format_text.h"

namespace whit::tools {

namespace {

constexpr size_t kNamed = 6;  // channels that a sentence names

// "3 dead channels", "1 dead channel".
std::string Count(size_t n, const std::string& one) {
  return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
}

template <typename List, typename Name>
std::string Named(const List& list, Name name) {
  std::string text;
  for (size_t i = 0; i < std::min(list.size(), kNamed); ++i)
    text += (i == 0 ? "" : ", ") + name(list[i]);
  if (list.size() > kNamed) text += " and " + std::to_string(list.size() - kNamed) + " more";
  return text;
}

std::string Decibels(double value) {
  return std::isfinite(value) ? FormatText("%.1f dB", value) : "no noise";
}

class Findings {
 public:
  explicit Findings(const TensorReport& report) : r_(report) {}

  std::vector<Finding> All() {
    if (!r_.unreadable.empty()) {
      Add("unreadable", Severity::kBroken, 1, "elements that cannot be read", r_.unreadable);
      return std::move(found_);
    }
    const TensorStatistics& s = r_.statistics;
    if (s.not_finite > 0) {
      Add("not_finite", Severity::kBroken, Share(s.not_finite),
          Count(static_cast<size_t>(s.not_finite), "NaN or infinite value"),
          FormatText("%.3g %% of the tensor", 100 * Share(s.not_finite)));
    }
    if (r_.entry.shape.size() >= 2 && s.finite() > 1) {
      if (s.min == s.max)
        OneValue();
      else
        Channels(), Outliers(), Noise(), Codes();
    }
    std::stable_sort(found_.begin(), found_.end(), [](const Finding& a, const Finding& b) {
      return a.severity != b.severity ? a.severity > b.severity : a.share > b.share;
    });
    return std::move(found_);
  }

 private:
  void Add(const char* kind, Severity severity, double share, std::string what,
           std::string detail) {
    // Noise of numbers near the largest there are has no decibels.
    const double known = std::isnan(share) ? 1 : std::min(share, 1.0);
    found_.push_back({kind, severity, known, std::move(what), std::move(detail)});
  }
  double Share(int64_t n) const {
    return static_cast<double>(n) / static_cast<double>(std::max<int64_t>(r_.entry.elements(), 1));
  }
  double ChannelShare(size_t n) const {
    return static_cast<double>(n) / static_cast<double>(r_.layout.channels);
  }

  void OneValue() {
    if (r_.statistics.max == 0)
      Add("zero_tensor", Severity::kLook, 1, "nothing but zeros", "it computes nothing");
    else
      Add("constant_tensor", Severity::kRemark, 1, "one value everywhere",
          FormatText("%.6g", r_.statistics.max));
  }

  void Channels() {
    const auto number = [](size_t c) { return std::to_string(c); };
    const auto pair = [](const ChannelPair& p) {
      return std::to_string(p.channel) + " = " + std::to_string(p.of);
    };
    const auto near = [](const ChannelPair& p) {
      return FormatText("%zu ~ %zu (%.4f)", p.channel, p.of, p.cosine);
    };
    if (!r_.dead.empty()) {
      Add("dead_channels", Severity::kLook, ChannelShare(r_.dead.size()),
          Count(r_.dead.size(), "dead channel"), "all zero: " + Named(r_.dead, number));
    }
    if (!r_.constant.empty()) {
      Add("constant_channels", Severity::kRemark, ChannelShare(r_.constant.size()),
          Count(r_.constant.size(), "channel") + " of one value", Named(r_.constant, number));
    }
    const Duplicates& d = r_.duplicates;
    if (!d.equal.empty()) {
      Add("duplicate_channels", Severity::kLook, ChannelShare(d.equal.size()),
          Count(d.equal.size(), "duplicate channel"), "equal to the bit: " + Named(d.equal, pair));
    }
    if (!d.near.empty()) {
      Add("near_duplicates", Severity::kRemark, ChannelShare(d.near.size()),
          Count(d.near.size(), "channel") + " nearly like another",
          "cosine above 0.999: " + Named(d.near, near));
    }
  }

  void Outliers() {
    const TensorStatistics& s = r_.statistics;
    const double gaussian = GaussianExtreme(s.finite());
    if (!r_.super_weights.empty()) {
      const SuperWeight& w = r_.super_weights.front();
      Add("super_weights", Severity::kLook, w.score(),
          Count(r_.super_weights.size(), "candidate") + " for a super weight",
          FormatText(
              "%.5g in channel %zu, column %zu: %.0f deviations, %.0f %% of its channel's energy "
              "and %.0f %% of its column's",
              w.value, w.channel, w.column, w.deviations, 100 * w.channel_share,
              100 * w.column_share));
    } else if (s.elements >= kLeastElements && s.farthest > 2 * gaussian) {
      Add("outliers", Severity::kRemark, Share(s.beyond_six), "outliers",
          FormatText("the farthest is %.1f deviations out, %.1f is to be expected; %lld beyond six",
                     s.farthest, gaussian, static_cast<long long>(s.beyond_six)));
    }
  }

  void Noise() {
    if (!r_.noise || r_.entry.elements() < kLeastElements) return;
    const QuantizationNoise& n = *r_.noise;
    const auto share = [](double decibels) { return std::pow(10, -decibels / 20); };
    if (n.int8_channel < kPoorDecibels) {
      Add("int8_poor", Severity::kLook, share(n.int8_channel), "much noise from int8",
          Decibels(n.int8_channel) + " with one scale a channel, " + Decibels(n.int8_tensor) +
              " with one in all");
    } else if (n.int8_tensor < kPoorDecibels && n.int8_channel - n.int8_tensor > kOneBit) {
      Add("int8_needs_channels", Severity::kLook, share(n.int8_tensor),
          "a need for one int8 scale a channel",
          Decibels(n.int8_channel) + " then, " + Decibels(n.int8_tensor) + " with one in all");
    }
  }

  void Codes() {
    if (!r_.codes || r_.entry.elements() < kLeastElements) return;
    const CodeUsage& c = *r_.codes;
    const bool one = r_.entry.codes.scale.size() == 1 && r_.layout.channels > 1;
    if (!r_.entry.codes.empty() && c.mean_unused >= 1) {
      Add("unused_bits", Severity::kLook, c.mean_unused / c.bits,
          FormatText("%.1f of %d bits unused in the average channel", c.mean_unused, c.bits),
          FormatText("%.1f in the worst", c.most_unused) +
              (one ? "; one scale a channel would win them back" : ""));
    } else if (!r_.entry.codes.empty() && c.most_unused >= 2) {
      Add("unused_bits", Severity::kRemark, c.most_unused / c.bits,
          FormatText("%.1f of %d bits unused in the worst channel", c.most_unused, c.bits),
          FormatText("%.1f in the average one", c.mean_unused));
    }
    // Ten a code: of a code that is used as often as the others, chance leaves exp(-10) out.
    if (c.used * 2 < c.there_are() && r_.entry.elements() >= 10 * c.there_are()) {
      Add("unused_codes", Severity::kRemark, 1 - static_cast<double>(c.used) / c.there_are(),
          FormatText("%d of %d codes in use", c.used, c.there_are()), "the others never occur");
    }
  }

  const TensorReport& r_;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> FindingsOf(const TensorReport& report) { return Findings(report).All(); }

}  // namespace whit::tools
