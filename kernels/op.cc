#include "kernels/op.h"

#include <algorithm>
#include <cmath>

#include "schema/model_generated.h"

namespace whit {

Status PrepareContext::Error(StatusCode code, const std::string& what) const {
  std::string name = op != nullptr && op->name() != nullptr ? op->name()->str() : "";
  return Status(code, "node '" + name + "' (" + RowOf(type).name + "): " + what);
}

Status PrepareContext::ExpectInputs(size_t at_least, size_t at_most) const {
  if (in.size() < at_least || in.size() > at_most) {
    return Error(StatusCode::kInvalidModel,
                 std::to_string(at_least) + " to " + std::to_string(at_most) +
                     " inputs expected, the file has " + std::to_string(in.size()));
  }
  for (size_t i = 0; i < at_least; ++i) {
    if (!has(i))
      return Error(StatusCode::kInvalidModel, "input " + std::to_string(i) + " is absent");
  }
  return OkStatus();
}

Status PrepareContext::ExpectOutputs(size_t n) const {
  if (out.size() == n) return OkStatus();
  return Error(StatusCode::kInvalidModel,
               std::to_string(n) + " outputs expected, the file has " + std::to_string(out.size()));
}

Status PrepareContext::ExpectOutShape(size_t i, const Shape& want) const {
  if (out[i].shape == want) return OkStatus();
  return Error(StatusCode::kInvalidModel,
               "output " + std::to_string(i) + ": shape " + want.ToString() +
                   " follows from the inputs, the file declares " + out[i].shape.ToString());
}

Status PrepareContext::ExpectType(const char* what, DType got,
                                  std::initializer_list<DType> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), got) != allowed.end()) return OkStatus();
  std::string list;
  for (DType t : allowed) list += std::string(list.empty() ? "" : ", ") + DTypeName(t);
  return Error(StatusCode::kUnsupported,
               std::string(what) + " is " + DTypeName(got) + ", implemented for " + list);
}

Status PrepareContext::ExpectPerTensorQuant(const char* what, const View& t) const {
  if (!t.quant.per_tensor() || t.quant.zero_point.size() != 1) {
    return Error(StatusCode::kInvalidModel, std::string(what) +
                                                " needs one scale and zero point, has " +
                                                std::to_string(t.quant.scale.size()) + " and " +
                                                std::to_string(t.quant.zero_point.size()));
  }
  const float s = t.quant.scale[0];
  if (!(s > 0) || !std::isfinite(s)) {
    return Error(
        StatusCode::kInvalidModel,
        std::string(what) + ": scale must be finite and positive, is " + std::to_string(s));
  }
  return OkStatus();
}

Result<const PackedWeights*> PrepareContext::Weights(int index) const {
  if (index < 0 || static_cast<size_t>(index) >= weights.size()) {
    return Error(StatusCode::kInvalidModel, "weights " + std::to_string(index) + " of " +
                                                std::to_string(weights.size()) + " do not exist");
  }
  if (reads != nullptr) reads->weights.push_back(index);
  if (open_reads != nullptr) WHIT_RETURN_IF_ERROR((*open_reads)(*reads));
  return &weights[static_cast<size_t>(index)];
}

Status PrepareContext::CheckRead(const void* data, size_t size) const {
  if (check_bytes == nullptr || data == nullptr) return OkStatus();
  return (*check_bytes)(std::span(static_cast<const std::byte*>(data), size));
}

Result<const void*> PrepareContext::RawBlob(int index, size_t bytes, const char* what,
                                            bool optional) const {
  if (index == -1 && optional) return static_cast<const void*>(nullptr);
  if (index < 0 || static_cast<size_t>(index) >= blobs.size()) {
    return Error(StatusCode::kInvalidModel, std::string(what) + ": blob " + std::to_string(index) +
                                                " of " + std::to_string(blobs.size()) +
                                                " does not exist");
  }
  const BlobView& blob = blobs[static_cast<size_t>(index)];
  if (blob.bytes != bytes) {
    return Error(StatusCode::kInvalidModel, std::string(what) + ": " + std::to_string(bytes) +
                                                " bytes expected, blob " + std::to_string(index) +
                                                " has " + std::to_string(blob.bytes));
  }
  if (reads != nullptr) reads->blobs.push_back(index);
  if (open_reads != nullptr) WHIT_RETURN_IF_ERROR((*open_reads)(*reads));
  return blob.data;
}

ClampRange OutputClamp(const PrepareContext& ctx, const View& out, float lo, float hi) {
  float type_lo = 0, type_hi = 0, shift = 0;
  switch (out.type) {
    case DType::kInt8:
      type_lo = -128, type_hi = 127;
      break;
    case DType::kUint8:  // storage of a canonical int8: lo and hi are canonical
      shift = out.quant.present() ? static_cast<float>(ctx.act_bias) : 0;
      type_lo = 0 - shift, type_hi = 255 - shift;
      break;
    case DType::kInt16:
      type_lo = -32768, type_hi = 32767;
      break;
    default:
      return {lo, hi};
  }
  return {std::max(lo, type_lo) + shift, std::min(hi, type_hi) + shift};
}

}  // namespace whit
