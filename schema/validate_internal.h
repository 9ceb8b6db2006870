// Shared by validate*.cc only.
#ifndef WHIT_SCHEMA_VALIDATE_INTERNAL_H_
#define WHIT_SCHEMA_VALIDATE_INTERNAL_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "platform/status.h"
#include "schema/model_generated.h"

namespace whit::validate {

template <typename T>
using Vec = flatbuffers::Vector<T>;

/// FlatBuffers leaves empty vectors out.
template <typename T>
uint64_t SizeOf(const Vec<T>* v) {
  return v == nullptr ? 0 : v->size();
}

/// kInvalidModel "thing: rule".
inline Status Bad(const std::string& thing, const std::string& rule) {
  return Status(StatusCode::kInvalidModel, thing + ": " + rule);
}

/// "tensor 7 'conv1/w'"; long names are cut and control characters replaced, as messages go to
/// terminals.
std::string Named(const char* kind, uint64_t index, const flatbuffers::String* name);

uint64_t TypeBytes(fbs::DType type);

/// Type, shape and quantization as Tensor and Variable share them.
struct Description {
  fbs::DType type;
  const Vec<uint32_t>* shape;
  const fbs::Quantization* quantization;
};

/// One validation: what is read, and how much work it may still cost.
class Checker {
 public:
  Checker(const fbs::Model& model, uint64_t graph_bytes, uint64_t weights_bytes)
      : model_(model),
        work_left_(graph_bytes),
        graph_bytes_(graph_bytes),
        weights_bytes_(weights_bytes) {}

  const fbs::Model& model() const { return model_; }
  uint64_t blobs() const { return SizeOf(model_.blobs()); }
  uint64_t weights() const { return SizeOf(model_.weights()); }
  uint64_t variables() const { return SizeOf(model_.variables()); }

  /// Counts elements about to be visited in this pass. A vector takes at least a byte an element,
  /// so only a file in which many tables share one vector (to make readers slow) can need more than
  /// its own size.
  void BeginPass() { work_left_ = graph_bytes_; }
  Status Charge(uint64_t elements, const std::string& thing);
  /// The same for strings, which readers copy.
  Status ChargeText(const std::string& thing,
                    std::initializer_list<const flatbuffers::String*> texts);

  /// `index` names one of `count`, or is -1 where `optional`. "thing: what 9 does not exist, there
  /// are 4".
  static Status Index(const std::string& thing, const char* what, int64_t index, uint64_t count,
                      bool optional);
  static Status Enum(const std::string& thing, const char* what, unsigned value, unsigned max);
  /// Blob `index` exists and has exactly `bytes`; -1 passes where `optional`.
  Status BlobOfSize(const std::string& thing, const char* what, int index, uint64_t bytes,
                    bool optional) const;

  /// Type, rank, dimensions, product, quantization. Gives the size in bytes.
  Result<uint64_t> Describe(const std::string& thing, const Description& d);

  // validate_storage.cc
  Status Storage();  // blobs, dims, labels, provenance, variables, weights
  Status TensorFields(const std::string& thing, const fbs::Tensor& tensor);
  // validate_options.cc
  Status Options(const std::string& thing, const fbs::Operator& op);

 private:
  Status Blobs();
  Status Dims();
  Status LabelLists();
  Status Provenance();
  Status Variables();
  Status WeightRecord(const std::string& thing, const fbs::Weights& w);
  Status WeightArrays(const std::string& thing, const fbs::Weights& w);
  Status Quantization(const std::string& thing, const Description& d);
  Status Scales(const std::string& thing, const Vec<float>* scales);
  Status DimVars(const std::string& thing, const fbs::Tensor& tensor);

  const fbs::Model& model_;
  uint64_t work_left_;
  uint64_t graph_bytes_;
  uint64_t weights_bytes_;
};

}  // namespace whit::validate

#endif  // WHIT_SCHEMA_VALIDATE_INTERNAL_H_
