// The ends of detectors: NON_MAX_SUPPRESSION_V4 and V5, and the custom
// TFLite_Detection_PostProcess.
#include <flatbuffers/flexbuffers.h>

#include "tools/import/lowering.h"

namespace whit::tools {

namespace {

constexpr int64_t kMaxDetections = 1 << 20;

// As float32: detectors compute boxes in floats whatever came before.
Result<int> AsFloat(Lowering& l, size_t i) {
  if (l.input(i).is_float()) return l.in(i);
  if (!l.input(i).quantized())
    return l.Unsupported(std::string("input type ") + DTypeName(l.input(i).type));
  WHIT_ASSIGN_OR_RETURN(const int real, l.TempFloat(l.input(i).shape));
  WHIT_RETURN_IF_ERROR(l.Emit(OpType::kDequantize, fbs::QuantizeOptionsT(), {l.in(i)}, {real}));
  return real;
}

Status LowerNonMaxSuppression(Lowering& l) {
  const bool soft = l.code() == BuiltinOperator::NON_MAX_SUPPRESSION_V5;
  WHIT_RETURN_IF_ERROR(l.Expect(soft ? 6 : 5, soft ? 6 : 5, soft ? 3 : 2));
  fbs::NonMaxSuppressionOptionsT o;
  WHIT_ASSIGN_OR_RETURN(const int64_t most, l.Int(2, "the number of boxes"));
  WHIT_ASSIGN_OR_RETURN(o.iou_threshold, l.Float(3, "the overlap threshold"));
  WHIT_ASSIGN_OR_RETURN(o.score_threshold, l.Float(4, "the score threshold"));
  if (soft) {
    WHIT_ASSIGN_OR_RETURN(o.sigma, l.Float(5, "sigma"));
  }
  if (most < 0 || most > kMaxDetections)
    return l.Invalid("number of boxes " + std::to_string(most));
  o.soft = soft;
  o.max_output = static_cast<uint32_t>(most);
  const size_t count = soft ? 2 : 1;
  for (size_t i = 0; i < count; ++i) WHIT_RETURN_IF_ERROR(l.SetShape(l.out(i), Shape{most}));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(count), Shape{}));
  std::vector<int> outs;
  for (size_t i = 0; i <= count; ++i) outs.push_back(l.out(i));
  return l.Emit(OpType::kNonMaxSuppression, std::move(o), {l.in(0), l.in(1)}, std::move(outs));
}

// A number of the operator's option map.
struct Field {
  const char* name;
  uint32_t* whole = nullptr;
  float* real = nullptr;
};

Status ReadDetectionOptions(Lowering& l, fbs::DetectionPostProcessOptionsT* o) {
  const auto* bytes = l.op().custom_options();
  constexpr size_t kMost = 4096;  // a dozen numbers and their names; verifying costs the square
  if (bytes == nullptr || bytes->size() == 0 || bytes->size() > kMost ||
      !flexbuffers::VerifyBuffer(bytes->data(), bytes->size(), nullptr)) {
    return l.Invalid("its options are not a FlexBuffer of 1 to " + std::to_string(kMost) +
                     " bytes, they have " + std::to_string(bytes == nullptr ? 0 : bytes->size()));
  }
  const flexbuffers::Reference root = flexbuffers::GetRoot(bytes->data(), bytes->size());
  if (!root.IsMap()) return l.Invalid("its options are not a map");
  const flexbuffers::Map map = root.AsMap();
  o->detections_per_class = 100;
  const Field fields[] = {
      {"max_detections", &o->max_detections},
      {"max_classes_per_detection", &o->max_classes_per_detection},
      {"detections_per_class", &o->detections_per_class},
      {"num_classes", &o->num_classes},
      {"nms_score_threshold", nullptr, &o->score_threshold},
      {"nms_iou_threshold", nullptr, &o->iou_threshold},
      {"y_scale", nullptr, &o->y_scale},
      {"x_scale", nullptr, &o->x_scale},
      {"h_scale", nullptr, &o->h_scale},
      {"w_scale", nullptr, &o->w_scale},
  };
  for (const Field& field : fields) {
    const flexbuffers::Reference value = map[field.name];
    if (value.IsNull()) continue;
    if (!value.IsNumeric()) return l.Invalid(std::string(field.name) + " is not a number");
    if (field.real != nullptr) {
      *field.real = value.AsFloat();
      continue;
    }
    const int64_t whole = value.AsInt64();
    if (whole < 0 || whole > kMaxDetections)
      return l.Invalid(std::string(field.name) + " is " + std::to_string(whole));
    *field.whole = static_cast<uint32_t>(whole);
  }
  const flexbuffers::Reference regular = map["use_regular_nms"];
  o->use_regular_nms = (regular.IsBool() || regular.IsNumeric()) && regular.AsBool();
  return OkStatus();
}

Status LowerCustom(Lowering& l) {
  WHIT_RETURN_IF_ERROR(l.Expect(3, 3, 4));
  fbs::DetectionPostProcessOptionsT o;
  WHIT_RETURN_IF_ERROR(ReadDetectionOptions(l, &o));
  const int64_t places = int64_t{o.max_detections} * o.max_classes_per_detection;
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(0), Shape{1, places, 4}));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(1), Shape{1, places}));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(2), Shape{1, places}));
  WHIT_RETURN_IF_ERROR(l.SetShape(l.out(3), Shape{1}));
  std::vector<int> inputs;
  for (size_t i = 0; i < 3; ++i) {
    WHIT_ASSIGN_OR_RETURN(const int real, AsFloat(l, i));
    inputs.push_back(real);
  }
  return l.Emit(OpType::kDetectionPostProcess, std::move(o), std::move(inputs),
                {l.out(0), l.out(1), l.out(2), l.out(3)});
}

}  // namespace

std::span<const LowerRow> DetectionRows() {
  static constexpr LowerRow kRows[] = {
      {BuiltinOperator::NON_MAX_SUPPRESSION_V4, LowerNonMaxSuppression},
      {BuiltinOperator::NON_MAX_SUPPRESSION_V5, LowerNonMaxSuppression},
      {BuiltinOperator::CUSTOM, LowerCustom},
  };
  return kRows;
}

}  // namespace whit::tools
