#include "tools/inspect/channels.h"

namespace whit::tools {

namespace {

struct Axis {
  int axis;
  const char* why;
};

bool CalledKernel(const std::string& name) {
  const std::string_view base = std::string_view(name).substr(0, name.rfind(':'));
  return base.ends_with("kernel");
}

// Keras 3 has "layers/conv2d/vars/0"; where "/vars/" begins, else npos.
size_t NumberedByKeras(const std::string& name) {
  constexpr std::string_view kVars = "/vars/";
  const size_t at = name.rfind(kVars);
  if (at == std::string::npos) return at;
  const std::string_view number = std::string_view(name).substr(at + kVars.size());
  const bool digits = !number.empty() && number.find_first_not_of("0123456789") == number.npos;
  return digits ? at : std::string::npos;
}

Axis AxisOf(const TensorEntry& entry, const std::string& format) {
  const int rank = static_cast<int>(entry.shape.size());
  if (entry.codes.axis >= 0 && entry.codes.axis < rank)
    return {entry.codes.axis, "the axis of its scales"};
  if (entry.channel_axis >= 0 && entry.channel_axis < rank)
    return {entry.channel_axis, "the operator that uses it"};
  if (format == "TFLite") {
    const bool depthwise = rank == 4 && entry.shape[0] == 1 && entry.shape[3] > 1;
    return depthwise ? Axis{3, "TFLite depthwise, [1,H,W,C]"} : Axis{0, "TFLite, [O,H,W,I]"};
  }
  if (CalledKernel(entry.name)) {
    if (entry.name.find("depthwise_kernel") != std::string::npos && rank == 4)
      return {2, "Keras depthwise, [H,W,C,M]"};
    return {rank - 1, "Keras, [H,W,I,O]"};
  }
  if (const size_t vars = NumberedByKeras(entry.name); vars != std::string::npos) {
    const size_t slash = vars == 0 ? std::string::npos : entry.name.rfind('/', vars - 1);
    const std::string folder = entry.name.substr(slash + 1, vars - slash - 1);
    if (folder.starts_with("embedding")) return {0, "Keras embedding, [words,O]"};
    // The first of a separable convolution is its depthwise part.
    const bool depthwise = folder.starts_with("depthwise_conv") ||
                           (folder.starts_with("separable_conv") && entry.name.ends_with("/0"));
    if (depthwise && rank > 2) return {rank - 2, "Keras depthwise, [H,W,C,M]"};
    return {rank - 1, "Keras, [H,W,I,O]"};
  }
  if (format.starts_with("PyTorch")) return {0, "PyTorch, [O,I,H,W]"};
  return {0, "assumed: the first"};
}

}  // namespace

ChannelLayout ChannelsOf(const TensorEntry& entry, const std::string& format) {
  ChannelLayout layout;
  const auto elements = static_cast<size_t>(entry.elements());
  layout.inner = layout.columns = std::max<size_t>(elements, 1);
  if (entry.shape.size() < 2 || elements == 0) return layout;
  const Axis found = AxisOf(entry, format);
  const auto axis = static_cast<size_t>(found.axis);
  const auto channels = static_cast<size_t>(entry.shape[axis]);
  if (channels > kMostChannels) {
    layout.why = "more channels than are told apart";
    return layout;
  }
  layout.axis = found.axis, layout.channels = channels, layout.why = found.why;
  layout.columns = elements / channels;
  layout.inner = 1;
  for (size_t k = axis + 1; k < entry.shape.size(); ++k)
    layout.inner *= static_cast<size_t>(entry.shape[k]);
  return layout;
}

}  // namespace whit::tools
