#include "tools/inspect/tensor_report.h"

#include "tools/inspect/findings.h"

namespace whit::tools {

namespace {

template <typename List>
void Cut(List* list) {
  if (list->size() > kMostListed) list->erase(list->begin() + kMostListed, list->end());
  list->shrink_to_fit();
}

bool EightBits(ElementType type) {
  return type == ElementType::kInt8 || type == ElementType::kUint8;
}

}  // namespace

TensorReport ReportOf(const TensorEntry& entry, std::span<const std::byte> bytes,
                      const std::string& format) {
  TensorReport r;
  r.entry = entry;
  r.layout = ChannelsOf(entry, format);
  r.statistics = StatisticsOf(entry, bytes, r.layout);
  const auto columns = static_cast<int64_t>(r.layout.columns);
  for (size_t c = 0; r.layout.axis >= 0 && c < r.layout.channels; ++c) {
    const ChannelStatistics& s = r.statistics.channels[c];
    if (!s.constant(columns)) continue;
    if (s.max == 0)
      r.dead.push_back(c);
    else if (columns > 1)
      r.constant.push_back(c);
  }
  const bool weights = entry.shape.size() >= 2 && entry.elements() > 0;
  if (weights && IsFloating(entry.type))
    r.noise = QuantizationNoiseOf(entry, bytes, r.layout, r.statistics);
  if (EightBits(entry.type) && entry.elements() > 0) r.codes = CodeUsageOf(entry, bytes, r.layout);
  if (weights) {
    r.duplicates = DuplicatesOf(entry, bytes, r.layout, r.statistics);
    r.super_weights = SuperWeightsOf(entry, bytes, r.layout, r.statistics);
  }
  r.strip = StripOf(r.statistics);
  r.findings = FindingsOf(r);
  return r;
}

TensorReport UnreadableReport(const TensorEntry& entry, std::string why) {
  TensorReport r;
  r.entry = entry;
  r.unreadable = std::move(why);
  r.findings = FindingsOf(r);
  return r;
}

void TensorReport::DropChannels() {
  statistics.channels = {};
  statistics.column_energy = {};
  if (codes) codes->unused_bits = {};
  Cut(&dead), Cut(&constant), Cut(&duplicates.equal), Cut(&duplicates.near);
  Cut(&entry.codes.scale), Cut(&entry.codes.zero_point);
}

int TensorReport::gravity() const {
  return findings.empty() ? -1 : static_cast<int>(findings.front().severity);
}

bool MattersMore(const TensorReport& a, const TensorReport& b) {
  if (a.gravity() != b.gravity()) return a.gravity() > b.gravity();
  if (a.findings.size() != b.findings.size()) return a.findings.size() > b.findings.size();
  return a.entry.elements() > b.entry.elements();
}

}  // namespace whit::tools
