// Resize and Upsample: by whit's own operators where they have the same rule, else axis by axis as
// weighted sums of gathered elements, which covers every rule that ONNX has.
#include <algorithm>
#include <cmath>

#include "tools/import/onnx/op.h"

namespace whit::tools::onnx {

namespace {

// Sums of more gathered elements than this are a product with a matrix.
constexpr size_t kMaxGathered = 4;
constexpr int64_t kMaxOut = 1 << 16;
constexpr double kMaxTaps =
    1 << 22;  // output pixels times 1 / scale; twice or four times as many taps

struct ResizeAxis {
  int axis = 0;
  int64_t in = 1, out = 1;
  double scale = 1;
  float start = 0, end = 1;  // region of interest
};

struct Rule {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool antialias = false, exclude_outside = false;
  float extrapolation = 0;
};

// Where output pixel i lies in the input.
double SourceOf(const Rule& rule, const ResizeAxis& a, int64_t i) {
  const auto x = static_cast<double>(i), in = static_cast<double>(a.in);
  const double wide = a.scale * in;  // the output's size before it was cut to a whole number
  if (rule.coordinates == "align_corners") return wide == 1 ? 0 : x * (in - 1) / (wide - 1);
  if (rule.coordinates == "asymmetric") return x / a.scale;
  if (rule.coordinates == "pytorch_half_pixel") return a.out == 1 ? 0 : (x + 0.5) / a.scale - 0.5;
  if (rule.coordinates == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(a.out) / wide;
    return in / 2 * (1 - adjustment) + (x + 0.5) / a.scale - 0.5;
  }
  if (rule.coordinates == "tf_crop_and_resize") {
    if (a.out == 1)
      return 0.5 * (static_cast<double>(a.start) + static_cast<double>(a.end)) * (in - 1);
    return static_cast<double>(a.start) * (in - 1) +
           x * static_cast<double>(a.end - a.start) * (in - 1) / (wide - 1);
  }
  return (x + 0.5) / a.scale - 0.5;
}

bool KnownCoordinates(const std::string& name) {
  static constexpr std::array kNames = {"half_pixel",         "half_pixel_symmetric",
                                        "pytorch_half_pixel", "align_corners",
                                        "asymmetric",         "tf_crop_and_resize"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

double Nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

double Kernel(const Rule& rule, double x) {
  x = std::abs(x);
  if (rule.mode == "linear") return std::max(1 - x, 0.0);
  const double a = rule.cubic;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

// One output pixel as a weighted sum of input pixels.
using Taps = std::vector<std::pair<int32_t, double>>;

Taps TapsOf(const Rule& rule, const ResizeAxis& a, int64_t i) {
  const double shrink = rule.antialias ? std::min(a.scale, 1.0) : 1.0;
  const double radius = (rule.mode == "linear" ? 1 : 2) / shrink;
  // Far outside all taps are the border's pixel: how far does not matter.
  const double x =
      std::clamp(SourceOf(rule, a, i), -radius - 2, static_cast<double>(a.in) + radius + 1);
  const auto inside = [&](double v) {
    return static_cast<int32_t>(std::clamp(v, 0.0, static_cast<double>(a.in - 1)));
  };
  if (rule.mode == "nearest") return {{inside(Nearest(rule.nearest, x)), 1.0}};
  Taps taps;
  double sum = 0;
  for (double at = std::ceil(x - radius); at <= x + radius; ++at) {
    const double weight = Kernel(rule, (at - x) * shrink);
    if (weight == 0 || (rule.exclude_outside && (at < 0 || at > static_cast<double>(a.in - 1))))
      continue;
    sum += weight;
    const int32_t index = inside(at);
    if (!taps.empty() && taps.back().first == index) {
      taps.back().second += weight;
    } else {
      taps.emplace_back(index, weight);
    }
  }
  for (auto& tap : taps) tap.second /= sum;
  if (taps.empty()) taps.emplace_back(inside(x), 1.0);
  return taps;
}

// Axis `at` of x by the taps of each output pixel.
Value Interpolated(GraphBuilder& g, Value x, int at, const std::vector<Taps>& taps) {
  if (g.failed(x)) return x;
  size_t most = 1;
  for (const Taps& t : taps) most = std::max(most, t.size());
  const Shape shape = g.shape(x);
  const auto out = static_cast<int64_t>(taps.size()), in = shape[at];
  if (most > kMaxGathered) {
    if (in > (1 << 24) / out) return g.Unsupported("a resize of that many pixels with that rule");
    std::vector<float> matrix(static_cast<size_t>(in * out), 0.0f);
    for (size_t o = 0; o < taps.size(); ++o) {
      for (const auto& [index, weight] : taps[o])
        matrix[o * static_cast<size_t>(in) + static_cast<size_t>(index)] =
            static_cast<float>(weight);
    }
    Ints swap;
    for (int i = 0; i < shape.rank(); ++i) swap.push_back(i);
    std::swap(swap[static_cast<size_t>(at)], swap.back());
    const Value y = g.Linear(g.Transpose(x, swap), g.Floats(Shape{out, in}, matrix), {});
    return g.Transpose(y, swap);
  }
  Ints along(static_cast<size_t>(shape.rank()), 1);
  along[static_cast<size_t>(at)] = out;
  Value sum;
  for (size_t k = 0; k < most; ++k) {
    std::vector<int32_t> index;
    std::vector<float> weight;
    for (const Taps& t : taps) {
      const auto& [i, w] = k < t.size() ? t[k] : t[0];
      index.push_back(i);
      weight.push_back(k < t.size() ? static_cast<float>(w) : 0.0f);
    }
    Value part = g.Gather(x, g.Int32s(Shape{out}, index), at);
    if (most > 1) part = g.Mul(part, g.Reshape(g.Floats(Shape{out}, weight), along));
    sum = k == 0 ? part : g.Add(sum, part);
  }
  return sum;
}

// The rule of whit's bilinear operator that is this one, if any: it takes its scale from the sizes.
std::optional<ResizeRule> OwnRule(const Rule& rule, const ResizeAxis& h, const ResizeAxis& w) {
  if (rule.mode != "linear" || rule.antialias || rule.exclude_outside) return std::nullopt;
  for (const ResizeAxis& a : {h, w}) {
    const double ratio = static_cast<double>(a.out) / static_cast<double>(a.in);
    if (std::abs(a.scale / ratio - 1) > 1e-7) return std::nullopt;
    // These two differ from the others where there is one output pixel.
    if (a.out == 1 && rule.coordinates != "half_pixel") return std::nullopt;
  }
  if (rule.coordinates == "half_pixel" || rule.coordinates == "pytorch_half_pixel")
    return ResizeRule::kHalfPixel;
  if (rule.coordinates == "align_corners") return ResizeRule::kAlignCorners;
  if (rule.coordinates == "asymmetric") return ResizeRule::kAsymmetric;
  return std::nullopt;
}

// Every pixel repeated a whole number of times.
bool Repeats(const ResizeAxis& a, const std::vector<Taps>& taps) {
  if (a.out % a.in != 0) return false;
  const int64_t times = a.out / a.in;
  for (int64_t o = 0; o < a.out; ++o) {
    if (taps[static_cast<size_t>(o)][0].first != o / times) return false;
  }
  return true;
}

// Positions outside of the input are the extrapolation value.
Value Extrapolated(GraphBuilder& g, Value y, const Rule& rule, const ResizeAxis& a, int at) {
  if (g.failed(y)) return y;
  std::vector<uint8_t> outside;
  for (int64_t i = 0; i < a.out; ++i) {
    const double x = SourceOf(rule, a, i);
    outside.push_back(x < 0 || x > static_cast<double>(a.in - 1) ? 1 : 0);
  }
  if (std::count(outside.begin(), outside.end(), 1) == 0) return y;
  Ints along(static_cast<size_t>(g.shape(y).rank()), 1);
  along[static_cast<size_t>(at)] = a.out;
  const Value mask = g.Reshape(g.Bools(Shape{a.out}, outside), along);
  return g.Select(mask, g.Float(rule.extrapolation), y);
}

void Emit(Op& op, const Rule& rule, const std::vector<ResizeAxis>& axes) {
  GraphBuilder& g = op.g;
  std::vector<std::vector<Taps>> taps(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    for (int64_t o = 0; o < axes[i].out; ++o) taps[i].push_back(TapsOf(rule, axes[i], o));
  }
  const bool image = op.Rank(0) == 4 && axes.size() == 2 && axes[0].axis == 2 && axes[1].axis == 3;
  if (image) {
    const int64_t h = axes[0].out, w = axes[1].out;
    if (rule.mode == "nearest" && Repeats(axes[0], taps[0]) && Repeats(axes[1], taps[1]))
      return op.Set(0, g.ResizeNearest(op.Channels(0), h, w, ResizeRule::kAsymmetric),
                    ChannelsLast(4));
    if (const auto own = OwnRule(rule, axes[0], axes[1]))
      return op.Set(0, g.ResizeBilinear(op.Channels(0), h, w, *own), ChannelsLast(4));
  }
  Order order;
  Value x = op.Raw(0, &order);
  for (size_t i = 0; i < axes.size(); ++i)
    x = Interpolated(g, x, PositionOf(order, axes[i].axis), taps[i]);
  for (size_t i = 0; rule.coordinates == "tf_crop_and_resize" && i < axes.size(); ++i)
    x = Extrapolated(g, x, rule, axes[i], PositionOf(order, axes[i].axis));
  op.Set(0, x, order);
}

// The axes that change, from scales or sizes of `listed` axes.
std::optional<std::vector<ResizeAxis>> PlaceAxes(Op& op, const std::vector<float>& scales,
                                                 const Ints& sizes, const Ints& listed,
                                                 const std::vector<float>& roi) {
  const Ints dims = op.Dims(0);
  const size_t given = scales.empty() ? sizes.size() : scales.size();
  for (float v : roi) {
    if (!std::isfinite(v)) {
      op.Invalid("a region that is not finite");
      return std::nullopt;
    }
  }
  Ints distinct = listed;
  for (int64_t& axis : distinct) axis = op.Axis(axis, op.Rank(0));
  std::sort(distinct.begin(), distinct.end());
  const bool twice = std::adjacent_find(distinct.begin(), distinct.end()) != distinct.end();
  if (given != listed.size() || twice || dims.empty() ||
      (!roi.empty() && roi.size() != 2 * listed.size())) {
    op.Invalid(std::to_string(given) + " scales or sizes for " + std::to_string(listed.size()) +
               " axes");
    return std::nullopt;
  }
  const std::string policy = op.Text("keep_aspect_ratio_policy", "stretch");
  std::vector<ResizeAxis> axes;
  double common = 0;
  for (size_t i = 0; i < listed.size(); ++i) {
    ResizeAxis a;
    a.axis = op.Axis(listed[i], op.Rank(0));
    a.in = dims[static_cast<size_t>(a.axis)];
    const auto in = static_cast<double>(a.in);
    a.scale = scales.empty() ? static_cast<double>(sizes[i]) / in : static_cast<double>(scales[i]);
    const double out = scales.empty() ? static_cast<double>(sizes[i]) : std::floor(in * a.scale);
    if (a.in < 1 || !(out >= 1) || !(out <= static_cast<double>(kMaxOut)) || !(a.scale > 0)) {
      op.Invalid(std::to_string(a.in) + " pixels by " + std::to_string(a.scale));
      return std::nullopt;
    }
    a.out = static_cast<int64_t>(out);
    if (op.Int("antialias", 0) != 0 && out / a.scale > kMaxTaps) {
      op.Unsupported("more than 2^24 weights");
      return std::nullopt;
    }
    if (!roi.empty()) a.start = roi[i], a.end = roi[listed.size() + i];
    const bool less = policy == "not_larger" ? a.scale < common : a.scale > common;
    if (i == 0 || less) common = a.scale;
    axes.push_back(a);
  }
  if (scales.empty() && policy != "stretch") {
    for (ResizeAxis& a : axes) {
      a.scale = common;
      a.out = std::clamp<int64_t>(
          static_cast<int64_t>(std::floor(static_cast<double>(a.in) * common + 0.5)), 1, kMaxOut);
    }
  }
  return axes;
}

// What nothing changes is left out.
void DropUnchanged(const Rule& rule, std::vector<ResizeAxis>* axes) {
  if (rule.coordinates == "tf_crop_and_resize") return;
  const auto same = [](const ResizeAxis& a) { return a.in == a.out && a.scale == 1; };
  axes->erase(std::remove_if(axes->begin(), axes->end(), same), axes->end());
}

void Resized(Op& op, const Rule& rule, const std::vector<float>& scales, const Ints& sizes,
             const std::vector<float>& roi) {
  if (rule.mode != "nearest" && rule.mode != "linear" && rule.mode != "cubic")
    return op.Invalid("mode '" + Shown(rule.mode) + "'");
  if (!KnownCoordinates(rule.coordinates))
    return op.Unsupported("coordinates '" + Shown(rule.coordinates) + "'");
  Ints listed = op.IntList("axes");
  for (int i = 0; !op.Has("axes") && i < op.Rank(0); ++i) listed.push_back(i);
  auto axes = PlaceAxes(op, scales, sizes, listed, roi);
  if (!axes) return;
  DropUnchanged(rule, &*axes);
  std::sort(axes->begin(), axes->end(),
            [](const ResizeAxis& a, const ResizeAxis& b) { return a.axis < b.axis; });
  if (op.Type(0) != DType::kFloat32 && rule.mode != "nearest")
    return op.Unsupported(std::string("interpolating ") + DTypeName(op.Type(0)));
  // A single spatial axis of an image is one of two.
  if (op.Rank(0) == 4 && axes->size() == 1 && (*axes)[0].axis >= 2) {
    const int other = (*axes)[0].axis == 2 ? 3 : 2;
    ResizeAxis still;
    still.axis = other, still.in = still.out = op.Dims(0)[static_cast<size_t>(other)];
    axes->insert(other == 2 ? axes->begin() : axes->end(), still);
  }
  Emit(op, rule, *axes);
}

void Upsample(Op& op) {
  std::vector<float> scales = op.FloatList("scales");
  if (op.has(1)) {
    const auto given = op.ConstFloats(1);
    if (!given) return op.Unsupported("scales that are computed at run time");
    scales = *given;
  }
  Rule rule;
  rule.mode = op.Text("mode", "nearest");
  rule.coordinates = "asymmetric", rule.nearest = "floor";
  Resized(op, rule, scales, {}, {});
}

void Resize(Op& op) {
  if (op.version < 11) return Upsample(op);
  Rule rule;
  rule.mode = op.Text("mode", "nearest");
  rule.coordinates = op.Text("coordinate_transformation_mode", "half_pixel");
  rule.nearest = op.Text("nearest_mode", "round_prefer_floor");
  rule.cubic = static_cast<double>(op.Float("cubic_coeff_a", -0.75f));
  rule.antialias = op.Int("antialias", 0) != 0;
  rule.exclude_outside = op.Int("exclude_outside", 0) != 0;
  rule.extrapolation = op.Float("extrapolation_value", 0);
  std::vector<float> scales, roi;
  Ints sizes;
  if (op.has(2)) {
    const auto given = op.ConstFloats(2);
    if (!given) return op.Unsupported("scales that are computed at run time");
    scales = *given;
  }
  if (op.has(3)) {
    const auto given = op.ConstInts(3);
    if (!given) return op.Unsupported("sizes that are computed at run time");
    sizes = *given;
  }
  if (rule.coordinates == "tf_crop_and_resize") {
    const auto given = op.ConstFloats(1);
    if (!given) return op.Unsupported("a region that is computed at run time");
    roi = *given;
  }
  Resized(op, rule, scales, sizes, roi);
}

}  // namespace

std::span<const Row> ResizeRows() {
  static constexpr Row kRows[] = {
      {"Resize", Resize, 1, 10},
      {"Upsample", Upsample, 1, 7},
  };
  return kRows;
}

}  // namespace whit::tools::onnx
