#include "tools/import/graft.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "tools/import/strided.h"
#include "tools/import/weight_layers.h"

namespace whit::tools {

namespace {

using Floats = std::vector<float>;

// Relative to the largest value. TensorFlow raises an epsilon of 1e-5, PyTorch's, to 1.001e-5
// (cuDNN's least), which changes a channel without variance by 0.5 * 1e-3; another training is far
// from that.
constexpr double kSameValues = 1e-3;

// The elements of a site in its own order, as a walk through a kernel.
struct Walk {
  std::vector<int64_t> shape, stride;
};

// Factor and bias of every output channel.
struct Channels {
  std::vector<double> factor, bias;
};

class Grafter {
 public:
  Grafter(ImportState& state, const std::vector<GraftSite>& sites)
      : state_(state),
        weights_(*state.options.weights),
        sites_(sites),
        layers_(LayersOf(weights_, state.options.epsilon)),
        kernel_used_(layers_.kernels.size()),
        norm_used_(layers_.norms.size()),
        done_(sites.size()) {}

  Status Run() {
    for (size_t s = 0; s < sites_.size(); ++s) done_[s] = weights_.Has(Own(s));
    if (layers_.kernels.empty() && layers_.norms.empty()) return OkStatus();
    for (size_t s = 0; s < sites_.size(); ++s) WHIT_RETURN_IF_ERROR(TryNames(s));
    for (size_t s = 0; s < sites_.size(); ++s) WHIT_RETURN_IF_ERROR(TryValues(s));
    for (size_t s = 0; s < sites_.size(); ++s) WHIT_RETURN_IF_ERROR(TryShape(s));
    for (size_t s = 0; s < sites_.size(); ++s) WHIT_RETURN_IF_ERROR(TryNorms(s));
    for (size_t s = 0; s < sites_.size(); ++s) {
      WHIT_RETURN_IF_ERROR(state_.work.Charge(layers_.kernels.size()));
      size_t k = 0;
      while (k < layers_.kernels.size() && !Fitting(s, k)) ++k;
      if (!done_[s] && k < layers_.kernels.size()) weights_.NoteUntold(Own(s));
    }
    return OkStatus();
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  GraphTensor& tensor(int i) { return state_.graph.tensors[static_cast<size_t>(i)]; }
  const TensorEntry& entry(int i) const {
    return weights_.file().tensors()[static_cast<size_t>(i)];
  }
  int64_t Outputs(const GraftSite& site) {
    const Shape& shape = tensor(site.weights).shape;
    return site.kind == SiteKind::kProduct ? shape[0] : shape[shape.rank() - 1];
  }

  // How a kernel fills the site, or nothing where it has another shape.
  std::optional<Walk> Fit(const GraftSite& site, const KernelLayer& layer) {
    const auto& have = entry(layer.kernel).shape;
    const Shape& want = tensor(site.weights).shape;
    // Size and stride of O, H, W and I (M of depthwise kernels lies in O).
    std::array<int64_t, 4> size = {1, 1, 1, 1}, stride = {0, 0, 0, 0};
    const auto set = [&](std::initializer_list<size_t> axes) {
      int64_t step = 1;
      for (size_t k = have.size(); k-- > 0;) {
        const size_t axis = axes.begin()[k];
        size[axis] = have[k], stride[axis] = step;
        step *= have[k];
      }
    };
    const size_t rank = have.size();
    if (rank < 2 || rank > 4 || site.kind == SiteKind::kAffine) return std::nullopt;
    if (layer.order == KernelOrder::kOutputFirst) {
      rank == 2 ? set({0, 3}) : rank == 3 ? set({0, 3, 2}) : set({0, 3, 1, 2});
    } else if (layer.order == KernelOrder::kOutputLast) {
      rank == 2 ? set({3, 0}) : rank == 3 ? set({2, 3, 0}) : set({1, 2, 3, 0});
    } else if (rank == 4) {
      size = {have[2] * have[3], have[0], have[1], 1};
      stride = {1, have[1] * size[0], size[0], 0};
    } else {
      return std::nullopt;
    }
    const auto [flat_h, flat_w, flat_c] = site.flattened;
    if (layer.order == KernelOrder::kOutputFirst && rank == 2 && flat_h * flat_w > 1) {
      if (want[0] != size[0] || flat_h * flat_w * flat_c != size[3]) return std::nullopt;
      return Walk{{size[0], flat_h, flat_w, flat_c}, {stride[0], flat_w, 1, flat_h * flat_w}};
    }
    if (site.kind == SiteKind::kDepthwise) {
      const bool fits =
          want[3] == size[0] && want[1] == size[1] && want[2] == size[2] && size[3] == 1;
      if (!fits) return std::nullopt;
      return Walk{{size[1], size[2], size[0]}, {stride[1], stride[2], stride[0]}};
    }
    const bool fits =
        want.rank() == 2
            ? want[0] == size[0] && size[1] == 1 && size[2] == 1 && want[1] == size[3]
            : want[0] == size[0] && want[1] == size[1] && want[2] == size[2] && want[3] == size[3];
    if (!fits) return std::nullopt;
    return Walk{{size[0], size[1], size[2], size[3]}, {stride[0], stride[1], stride[2], stride[3]}};
  }

  // The kernel in the site's order, without its normalization.
  Result<Floats> Gather(const KernelLayer& layer, const Walk& walk) {
    WHIT_RETURN_IF_ERROR(state_.work.Charge(static_cast<uint64_t>(entry(layer.kernel).elements())));
    WHIT_ASSIGN_OR_RETURN(const Floats stored,
                          ReadFloats(weights_.file(), static_cast<size_t>(layer.kernel)));
    Floats kernel(stored.size());
    GatherStrided(std::as_bytes(std::span(stored)), walk.shape, walk.stride, sizeof(float),
                  std::as_writable_bytes(std::span(kernel)));
    return kernel;
  }

  // Numbers of one a channel; `other` where the layer has none. kInvalidModel: another number.
  Result<Floats> Vector(int tensor, int64_t channels, float other) {
    if (tensor < 0) return Floats(static_cast<size_t>(channels), other);
    const TensorEntry& e = entry(tensor);
    if (e.elements() != channels) {
      return Status(StatusCode::kInvalidModel, "'" + Shown(e.name) + "' is " + e.ShapeText() +
                                                   ", its layer has " + std::to_string(channels) +
                                                   " output channels");
    }
    WHIT_RETURN_IF_ERROR(state_.work.Charge(static_cast<uint64_t>(channels)));
    return ReadFloats(weights_.file(), static_cast<size_t>(tensor));
  }

  Result<Channels> ChannelsOf(size_t k, size_t n, int64_t count) {
    Channels all;
    const int of_kernel = k == kNone ? -1 : layers_.kernels[k].bias;
    WHIT_ASSIGN_OR_RETURN(const Floats bias, Vector(of_kernel, count, 0));
    all.factor.assign(bias.size(), 1);
    all.bias.assign(bias.begin(), bias.end());
    if (n == kNone) return all;
    const NormLayer& norm = layers_.norms[n];
    WHIT_ASSIGN_OR_RETURN(const Floats gamma, Vector(norm.gamma, count, 1));
    WHIT_ASSIGN_OR_RETURN(const Floats beta, Vector(norm.beta, count, 0));
    WHIT_ASSIGN_OR_RETURN(const Floats mean, Vector(norm.mean, count, 0));
    WHIT_ASSIGN_OR_RETURN(const Floats variance, Vector(norm.variance, count, 1));
    for (size_t o = 0; o < all.factor.size(); ++o) {
      const double deviation = std::sqrt(static_cast<double>(variance[o]) + norm.epsilon);
      all.factor[o] = static_cast<double>(gamma[o]) / deviation;
      all.bias[o] = (all.bias[o] - static_cast<double>(mean[o])) * all.factor[o] +
                    static_cast<double>(beta[o]);
      if (!std::isfinite(all.factor[o]) || !std::isfinite(all.bias[o])) {
        return Status(StatusCode::kInvalidModel,
                      "the normalization of '" + Shown(entry(norm.variance).name) +
                          "' is not finite in channel " + std::to_string(o) + ": variance " +
                          std::to_string(variance[o]) + ", epsilon " +
                          std::to_string(norm.epsilon));
      }
    }
    return all;
  }

  // The output channel of element i of a site.
  static size_t ChannelOf(const GraftSite& site, size_t i, size_t elements, size_t channels) {
    return site.kind == SiteKind::kProduct ? i / (elements / channels) : i % channels;
  }

  // Factors by which the site's own values are the kernel's, one a channel (NaN: the kernel is 0
  // there), or nothing where they are others.
  std::optional<std::vector<double>> FactorsOf(const GraftSite& site, const Floats& kernel) {
    const auto own = tensor(site.weights).values<float>();
    std::vector<double> factor(static_cast<size_t>(Outputs(site))), norm(factor.size());
    const auto channel = [&](size_t i) { return ChannelOf(site, i, kernel.size(), factor.size()); };
    double largest = 0, worst = 0;
    for (size_t i = 0; i < kernel.size(); ++i) {
      const double k = static_cast<double>(kernel[i]), w = static_cast<double>(own[i]);
      factor[channel(i)] += k * w, norm[channel(i)] += k * k;
      largest = std::max(largest, std::abs(w));
    }
    for (size_t o = 0; o < factor.size(); ++o) factor[o] /= norm[o];
    for (size_t i = 0; i < kernel.size(); ++i) {
      const double f = norm[channel(i)] > 0 ? factor[channel(i)] : 0;
      worst = std::max(worst,
                       std::abs(f * static_cast<double>(kernel[i]) - static_cast<double>(own[i])));
    }
    if (!(largest > 0) || !(worst <= kSameValues * largest)) return std::nullopt;
    return factor;
  }

  // Whether the site has those factors and that bias.
  bool SameChannels(const GraftSite& site, const std::vector<double>& factor,
                    const Channels& channels) {
    const auto bias = site.bias < 0 ? std::span<const float>() : tensor(site.bias).values<float>();
    double largest = 0, worst = 0;
    for (size_t o = 0; o < factor.size(); ++o) {
      if (std::isnan(factor[o])) continue;
      largest = std::max(largest, std::abs(factor[o]));
      worst = std::max(worst, std::abs(channels.factor[o] - factor[o]));
    }
    if (!(worst <= kSameValues * largest)) return false;
    worst = 0;
    for (size_t o = 0; o < channels.bias.size(); ++o) {
      const double before = bias.empty() ? 0 : static_cast<double>(bias[o]);
      largest = std::max(largest, std::abs(before));
      worst = std::max(worst, std::abs(channels.bias[o] - before));
    }
    return worst <= kSameValues * largest;
  }

  bool Fitting(size_t s, size_t k) {
    return !kernel_used_[k] && Fit(sites_[s], layers_.kernels[k]).has_value();
  }
  bool Normalizes(size_t n, int64_t channels) const {
    return !norm_used_[n] && entry(layers_.norms[n].mean).elements() == channels;
  }

  // Whether `layer` is one of the names that a converter has joined in `names`.
  static bool Names(std::string_view names, std::string_view layer) {
    if (layer.empty()) return false;
    for (size_t at = 0; at <= names.size();) {
      const size_t end = std::min(names.find_first_of("/;", at), names.size());
      if (names.substr(at, end - at) == layer) return true;
      at = end + 1;
    }
    return false;
  }

  // The only kernel that fits and that `names` has; kNone: none or several.
  size_t NamedKernel(size_t s, std::string_view names) {
    size_t found = kNone;
    for (size_t k = 0; k < layers_.kernels.size(); ++k) {
      if (!Names(names, layers_.kernels[k].name) || !Fitting(s, k)) continue;
      if (found != kNone) return kNone;
      found = k;
    }
    return found;
  }

  // The normalizations of its channels that the names of a site have.
  std::vector<size_t> NamedNorms(size_t s) {
    std::vector<size_t> found;
    for (size_t n = 0; n < layers_.norms.size(); ++n) {
      const std::string& name = layers_.norms[n].name;
      if (Normalizes(n, Outputs(sites_[s])) && (Names(Own(s), name) || Names(Other(s), name)))
        found.push_back(n);
    }
    return found;
  }

  const std::string& Own(size_t s) { return tensor(sites_[s].weights).name; }
  const std::string& Other(size_t s) {
    return sites_[s].bias < 0 ? Own(s) : tensor(sites_[s].bias).name;
  }
  Status ChargeNames(size_t s) {
    return state_.work.Charge((Own(s).size() + Other(s).size()) *
                              (layers_.kernels.size() + layers_.norms.size()));
  }

  Status TryNames(size_t s) {
    if (done_[s]) return OkStatus();
    const GraftSite& site = sites_[s];
    WHIT_RETURN_IF_ERROR(ChargeNames(s));
    size_t k = NamedKernel(s, Own(s));
    if (k == kNone) k = NamedKernel(s, Other(s));
    if (k == kNone) return OkStatus();
    const std::vector<size_t> norms = NamedNorms(s);
    if (norms.size() > 1) return OkStatus();
    const size_t norm = norms.empty() ? kNone : norms[0];
    WHIT_ASSIGN_OR_RETURN(const Floats kernel, KernelFor(s, k));
    WHIT_ASSIGN_OR_RETURN(const Channels channels, ChannelsOf(k, norm, Outputs(site)));
    return Apply(s, k, norm, kernel, channels, "name");
  }

  Result<Floats> KernelFor(size_t s, size_t k) {
    return Gather(layers_.kernels[k], *Fit(sites_[s], layers_.kernels[k]));
  }

  Status TryValues(size_t s) {
    if (done_[s]) return OkStatus();
    const int64_t count = Outputs(sites_[s]);
    WHIT_RETURN_IF_ERROR(state_.work.Charge(layers_.kernels.size()));
    for (size_t k = 0; k < layers_.kernels.size(); ++k) {
      if (!Fitting(s, k)) continue;
      WHIT_ASSIGN_OR_RETURN(const Floats kernel, KernelFor(s, k));
      const auto factors = FactorsOf(sites_[s], kernel);
      if (!factors) continue;
      WHIT_RETURN_IF_ERROR(state_.work.Charge(layers_.norms.size()));
      for (size_t n = kNone; n == kNone || n < layers_.norms.size(); ++n) {
        if (n != kNone && !Normalizes(n, count)) continue;
        const auto channels = ChannelsOf(k, n, count);
        if (!channels.ok() || !SameChannels(sites_[s], *factors, *channels)) continue;
        return Apply(s, k, n, kernel, *channels, "value");
      }
    }
    return OkStatus();
  }

  Status TryShape(size_t s) {
    if (done_[s]) return OkStatus();
    WHIT_RETURN_IF_ERROR(
        state_.work.Charge(layers_.kernels.size() + layers_.norms.size() + sites_.size()));
    size_t found = kNone;
    for (size_t k = 0; k < layers_.kernels.size(); ++k) {
      if (!Fitting(s, k)) continue;
      if (found != kNone) return OkStatus();
      found = k;
    }
    if (found == kNone) return OkStatus();
    for (size_t other = 0; other < sites_.size(); ++other) {
      if (other != s && !done_[other] && Fitting(other, found)) return OkStatus();
    }
    for (size_t n = 0; n < layers_.norms.size(); ++n) {
      if (Normalizes(n, Outputs(sites_[s]))) return OkStatus();
    }
    WHIT_ASSIGN_OR_RETURN(const Floats kernel, KernelFor(s, found));
    WHIT_ASSIGN_OR_RETURN(const Channels channels, ChannelsOf(found, kNone, Outputs(sites_[s])));
    return Apply(s, found, kNone, kernel, channels, "shape");
  }

  // A normalization that stands by itself: by name, else by values.
  Status TryNorms(size_t s) {
    const GraftSite& site = sites_[s];
    if (done_[s] || site.kind != SiteKind::kAffine) return OkStatus();
    WHIT_RETURN_IF_ERROR(ChargeNames(s));
    const Floats ones(static_cast<size_t>(Outputs(site)), 1);
    const std::vector<size_t> named = NamedNorms(s);
    if (named.size() == 1) {
      WHIT_ASSIGN_OR_RETURN(const Channels channels, ChannelsOf(kNone, named[0], Outputs(site)));
      return Apply(s, kNone, named[0], ones, channels, "name");
    }
    const auto factors = FactorsOf(site, ones);
    for (size_t n = 0; factors && n < layers_.norms.size(); ++n) {
      if (!Normalizes(n, Outputs(site))) continue;
      const auto channels = ChannelsOf(kNone, n, Outputs(site));
      if (!channels.ok() || !SameChannels(site, *factors, *channels)) continue;
      return Apply(s, kNone, n, ones, *channels, "value");
    }
    return OkStatus();
  }

  // Makes `values` the constant of a tensor; the largest difference to what it was.
  Result<double> Replace(int index, const Floats& values) {
    GraphTensor& t = tensor(index);
    double difference = 0;
    const auto before = t.values<float>();
    for (size_t i = 0; i < values.size(); ++i) {
      difference = std::max(
          difference, std::abs(static_cast<double>(values[i]) - static_cast<double>(before[i])));
    }
    const auto raw = std::as_bytes(std::span(values));
    const auto [at, fresh] = written_.try_emplace(index, raw.begin(), raw.end());
    if (!fresh && !std::equal(raw.begin(), raw.end(), at->second.begin(), at->second.end())) {
      return Status(StatusCode::kUnsupported, "two products of the graph share the constant '" +
                                                  Shown(t.name) +
                                                  "', and the weights have two values for it");
    }
    t.constant = std::make_shared<const Bytes>(at->second);
    weights_.Replaced(t.name);
    return difference;
  }

  Status Apply(size_t s, size_t k, size_t n, const Floats& kernel, const Channels& channels,
               const char* by) {
    const GraftSite& site = sites_[s];
    Floats values = kernel;
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t o = ChannelOf(site, i, values.size(), channels.factor.size());
      values[i] = static_cast<float>(static_cast<double>(kernel[i]) * channels.factor[o]);
    }
    const Floats bias(channels.bias.begin(), channels.bias.end());
    if (site.bias < 0 && std::any_of(bias.begin(), bias.end(), [](float b) { return b != 0; })) {
      return Status(StatusCode::kInvalidModel,
                    "'" + Shown(tensor(site.weights).name) + "' has no bias in the graph, '" +
                        Shown(entry(layers_.kernels[k].kernel).name) + "' of the weights has one");
    }
    WHIT_ASSIGN_OR_RETURN(double difference, Replace(site.weights, values));
    if (site.bias >= 0) {
      WHIT_ASSIGN_OR_RETURN(const double of_bias, Replace(site.bias, bias));
      difference = std::max(difference, of_bias);
    }
    Note(s, k, n, by, difference);
    return OkStatus();
  }

  void Note(size_t s, size_t k, size_t n, const char* by, double difference) {
    std::vector<int> parts;
    GraftedLayer note{Own(s), "", "", by, difference};
    if (k != kNone) {
      note.source = entry(layers_.kernels[k].kernel).name;
      parts = {layers_.kernels[k].kernel, layers_.kernels[k].bias};
      kernel_used_[k] = true;
    }
    if (n != kNone) {
      const NormLayer& norm = layers_.norms[n];
      note.normalization = entry(norm.mean).name;
      parts.insert(parts.end(), {norm.gamma, norm.beta, norm.mean, norm.variance});
      norm_used_[n] = true;
    }
    for (int part : parts) {
      if (part >= 0) weights_.TakeFor(static_cast<size_t>(part), note.name);
    }
    weights_.NoteGraft(std::move(note));
    done_[s] = true;
  }

  ImportState& state_;
  NamedWeights& weights_;
  const std::vector<GraftSite>& sites_;
  const WeightLayers layers_;
  std::vector<bool> kernel_used_, norm_used_, done_;
  std::map<int, Bytes> written_;  // constants of the graph that were replaced
};

}  // namespace

Status GraftLayers(ImportState& state, const std::vector<GraftSite>& sites) {
  return Grafter(state, sites).Run();
}

}  // namespace whit::tools
