#include "tools/import/unpacking.h"

#include <string>

#include "kernels/pack.h"

namespace whit::tools {

namespace {

PackedWeights ViewOf(const ModelFile& file, const fbs::Weights& record) {
  PackedWeights w;
  w.layout = static_cast<PackedWeights::Layout>(record.layout());
  w.groups = record.groups();
  w.n = record.n();
  w.runs = record.runs();
  w.run_length = record.run_length();
  const std::span<const std::byte> data = file.blob(static_cast<size_t>(record.data()));
  w.data = data.data();
  w.data_bytes = data.size();
  return w;
}

bool IsFloat(fbs::Layout layout) {
  return layout == fbs::Layout::panel16_f32 || layout == fbs::Layout::dw16_f32;
}

bool IsDepthwise(fbs::Layout layout) {
  return layout == fbs::Layout::dw16_i8 || layout == fbs::Layout::dw16_f32;
}

template <typename T>
std::vector<std::byte> BytesOf(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span<const T>(values));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<LogicalWeights> LogicalFormOf(const fbs::Weights& record) {
  LogicalWeights form;
  form.type = IsFloat(record.layout()) ? DType::kFloat32 : DType::kInt8;
  if (record.shape() != nullptr) form.shape.assign(record.shape()->begin(), record.shape()->end());
  const int rank = static_cast<int>(form.shape.size());
  form.channel_axis = IsDepthwise(record.layout()) && rank > 0 ? rank - 1 : 0;
  // A record of one element may be a scalar.
  const int64_t channels = rank == 0 ? 1 : form.shape[static_cast<size_t>(form.channel_axis)];
  if (channels != record.n()) {
    return Status(StatusCode::kInvalidModel,
                  "the shape has " + std::to_string(channels) + " channels on axis " +
                      std::to_string(form.channel_axis) + ", the packed array has " +
                      std::to_string(record.n()));
  }
  if (record.scale() != nullptr) form.scale.assign(record.scale()->begin(), record.scale()->end());
  form.zero_point = record.zero_point();
  return form;
}

std::vector<std::byte> UnpackWeights(const ModelFile& file, const fbs::Weights& record) {
  const PackedWeights view = ViewOf(file, record);
  return IsFloat(record.layout()) ? BytesOf(UnpackF32(view)) : BytesOf(UnpackI8(view));
}

}  // namespace whit::tools
