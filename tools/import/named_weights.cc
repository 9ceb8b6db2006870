#include "tools/import/named_weights.h"

#include <algorithm>

namespace whit::tools {

namespace {

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t d : shape) text += (text.empty() ? "" : "x") + (d < 0 ? "?" : std::to_string(d));
  return text.empty() ? "1" : text;
}

bool Fits(const std::vector<int64_t>& shape, const std::vector<int64_t>& expected) {
  if (shape.size() != expected.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (expected[i] >= 0 && shape[i] != expected[i]) return false;
  }
  return true;
}

// One list of the message, cut where it would fill screens.
template <typename List, typename Line>
void Tell(std::string* text, const char* what, const List& list, Line line) {
  if (list.empty()) return;
  constexpr size_t kMost = 5;  // the account has all of them
  *text += (text->empty() ? "" : "; ") + std::to_string(list.size()) + " " + what + ": ";
  for (size_t i = 0; i < std::min(list.size(), kMost); ++i)
    *text += (i == 0 ? "" : ", ") + line(list[i]);
  if (list.size() > kMost) *text += ", ...";
}

}  // namespace

Result<NamedWeights> NamedWeights::Of(const WeightFile& file, const Rename& rename) {
  NamedWeights w(file);
  for (const TensorEntry& entry : file.tensors()) {
    w.names_.push_back(rename ? rename(entry.name) : entry.name);
    const auto [at, fresh] =
        w.by_name_.try_emplace(w.names_.back(), static_cast<int>(w.names_.size()) - 1);
    if (fresh) continue;
    return Status(StatusCode::kInvalidModel,
                  "'" + Shown(entry.name) + "' and '" +
                      Shown(file.tensors()[static_cast<size_t>(at->second)].name) +
                      "' are both called '" + Shown(at->first) + "' after renaming");
  }
  w.taken_.resize(w.names_.size());
  return w;
}

void NamedWeights::FindPrefix(const std::string& anchor) {
  const std::string* best = nullptr;
  for (const std::string& name : names_) {
    const bool inner = name.size() > anchor.size() && name[name.size() - anchor.size() - 1] == '.';
    if (!name.ends_with(anchor) || (name != anchor && !inner)) continue;
    if (best == nullptr || name.size() < best->size()) best = &name;
  }
  anchored_ = best != nullptr;
  prefix_ = best == nullptr ? "" : best->substr(0, best->size() - anchor.size());
  matches_.prefix = prefix_;
}

int NamedWeights::IndexOf(const std::string& name) const {
  const auto found = by_name_.find(prefix_ + name);
  return found == by_name_.end() ? -1 : found->second;
}

std::vector<int64_t> NamedWeights::ShapeOf(const std::string& name) const {
  const int i = IndexOf(name);
  return i < 0 ? std::vector<int64_t>() : file_->tensors()[static_cast<size_t>(i)].shape;
}

Value NamedWeights::Take(GraphBuilder& g, const std::string& name,
                         const std::vector<int64_t>& expected) {
  const int index = IndexOf(name);
  if (index < 0) {
    matches_.missing.push_back({name, ShapeText(expected)});
    return g.Failed();
  }
  const auto i = static_cast<size_t>(index);
  const TensorEntry& entry = file_->tensors()[i];
  taken_[i] = true;
  if (!Fits(entry.shape, expected) || IsComplex(entry.type) || !entry.refused.empty() ||
      entry.shape.size() > static_cast<size_t>(kMaxRank)) {
    matches_.misshapen.push_back(
        {name, entry.name, ShapeText(expected),
         entry.refused.empty() ? std::string(ElementName(entry.type)) + " " + entry.ShapeText()
                               : entry.refused});
    return g.Failed();
  }
  matches_.matched.push_back({name, entry.name, entry.ShapeText(), ElementName(entry.type)});
  auto values = ReadFloats(*file_, i);
  if (!values.ok()) return g.Fail(Status(values.status()).WithContext("'" + Shown(name) + "'"));
  Shape shape = Shape::OfRank(static_cast<int>(entry.shape.size()));
  for (size_t a = 0; a < entry.shape.size(); ++a) shape[static_cast<int>(a)] = entry.shape[a];
  return g.Floats(shape, *values);
}

namespace {

// The element type that holds a tensor's numbers as they are; float32 for other floats.
bool Holds(ElementType element, DType type) {
  switch (type) {
    case DType::kFloat32:
      return IsFloating(element);
    case DType::kFloat16:
      return element == ElementType::kFloat16;
    case DType::kInt8:
      return element == ElementType::kInt8;
    case DType::kInt16:
      return element == ElementType::kInt16;
    case DType::kInt32:
      return element == ElementType::kInt32;
    case DType::kInt64:
      return element == ElementType::kInt64;
    default:
      return false;
  }
}

std::vector<int64_t> DimsOf(const Shape& shape) {
  std::vector<int64_t> dims;
  for (int a = 0; a < shape.rank(); ++a) dims.push_back(shape[a]);
  return dims;
}

}  // namespace

Result<SharedBytes> NamedWeights::Replacement(const std::string& name, DType type,
                                              const Shape& shape) {
  if (!anchored_) FindPrefix(name);
  const int index = IndexOf(name);
  if (index < 0) {
    if (type == DType::kFloat32 && shape.rank() > 0)
      matches_.kept.push_back({name, ShapeText(DimsOf(shape))});
    return SharedBytes();
  }
  const auto i = static_cast<size_t>(index);
  const TensorEntry& entry = file_->tensors()[i];
  const bool again = taken_[i];  // a graph may ask for one constant twice
  taken_[i] = true;
  if (entry.shape != DimsOf(shape) || !Holds(entry.type, type) || !entry.refused.empty()) {
    const std::string found = std::string(ElementName(entry.type)) + " " + entry.ShapeText();
    matches_.misshapen.push_back({name, entry.name,
                                  std::string(DTypeName(type)) + " " + ShapeText(DimsOf(shape)),
                                  entry.refused.empty() ? found : entry.refused});
    return SharedBytes();
  }
  if (!again)
    matches_.matched.push_back({name, entry.name, entry.ShapeText(), ElementName(entry.type)});
  auto bytes = std::make_shared<Bytes>();
  if (type == DType::kFloat32) {
    WHIT_ASSIGN_OR_RETURN(const std::vector<float> values, ReadFloats(*file_, i));
    const auto raw = std::as_bytes(std::span(values));
    bytes->assign(raw.begin(), raw.end());
  } else {
    std::vector<std::byte> scratch;
    WHIT_ASSIGN_OR_RETURN(const auto raw, file_->Read(i, &scratch));
    bytes->assign(raw.begin(), raw.end());
  }
  return SharedBytes(std::move(bytes));
}

void NamedWeights::TakeFor(size_t i, const std::string& name) {
  const TensorEntry& entry = file_->tensors()[i];
  taken_[i] = true;
  matches_.matched.push_back({name, entry.name, entry.ShapeText(), ElementName(entry.type)});
}

void NamedWeights::Replaced(const std::string& name) {
  const auto is_it = [&](const MissingTensor& t) { return t.name == name; };
  std::erase_if(matches_.kept, is_it);
}

WeightMatches NamedWeights::Matches() const {
  WeightMatches all = matches_;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (taken_[i]) continue;
    const TensorEntry& entry = file_->tensors()[i];
    const bool inside = names_[i].starts_with(prefix_);
    const std::string name = inside ? names_[i].substr(prefix_.size()) : names_[i];
    bool ignored = !inside;
    for (const std::string& s : ignored_suffixes_) ignored = ignored || name.ends_with(s);
    for (const std::string& s : ignored_prefixes_) ignored = ignored || name.starts_with(s);
    for (const std::string& s : ignored_parts_)
      ignored = ignored || name.find(s) != std::string::npos;
    (ignored ? all.ignored : all.extra)
        .push_back({name, entry.name, entry.ShapeText(), ElementName(entry.type)});
  }
  return all;
}

Status NamedWeights::Check(bool allow_extra) const {
  const WeightMatches all = Matches();
  std::string text;
  Tell(&text, "missing", all.missing, [](const MissingTensor& t) {
    return "'" + Shown(t.name) + "' (the graph needs " + t.expected + ")";
  });
  Tell(&text, "of another shape", all.misshapen, [](const MisshapenTensor& t) {
    return "'" + Shown(t.source) + "' is " + t.found + ", the graph needs " + t.expected;
  });
  if (!allow_extra) {
    Tell(&text, "extra, which the graph does not have", all.extra,
         [](const MatchedTensor& t) { return "'" + Shown(t.source) + "' " + t.shape; });
  }
  if (text.empty()) return OkStatus();
  Tell(&text, "products of the graph that neither names nor values tell the layer of", all.untold,
       [](const std::string& name) { return "'" + Shown(name) + "'"; });
  return Status(
      StatusCode::kInvalidModel,
      "the weights do not fit the graph: " + text +
          ". Rename rules bring other names to the graph's" +
          (all.missing.empty() && all.misshapen.empty() ? "; extra tensors can be allowed" : ""));
}

}  // namespace whit::tools
