// Blobs, weights, variables, tensors: that every number about bytes is true of this file.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "schema/format.h"
#include "schema/layout_size.h"
#include "schema/validate_internal.h"

namespace whit::validate {
namespace {

using std::to_string;

struct TypeFacts {
  uint64_t bytes;
  bool quantizable;
  int64_t min_zero_point, max_zero_point;
};

// 8-bit activations are canonically int8, so a quantized uint8 tensor cannot be. int32 and int64
// carry the scales of biases and accumulators; their zero points are int32 in the schema.
TypeFacts FactsOf(fbs::DType type) {
  switch (type) {
    case fbs::DType::float32:
      return {4, false, 0, 0};
    case fbs::DType::int8:
      return {1, true, INT8_MIN, INT8_MAX};
    case fbs::DType::uint8:
      return {1, false, 0, 0};
    case fbs::DType::int16:
      return {2, true, INT16_MIN, INT16_MAX};
    case fbs::DType::int32:
      return {4, true, INT32_MIN, INT32_MAX};
    case fbs::DType::int64:
      return {8, true, INT32_MIN, INT32_MAX};
    case fbs::DType::boolean:
      return {1, false, 0, 0};
    case fbs::DType::float16:
      return {2, false, 0, 0};
  }
  return {0, false, 0, 0};
}

bool IsFloat(WeightLayout layout) {
  return layout == WeightLayout::kPanel16F32 || layout == WeightLayout::kDw16F32;
}

}  // namespace

uint64_t TypeBytes(fbs::DType type) { return FactsOf(type).bytes; }

std::string Named(const char* kind, uint64_t index, const flatbuffers::String* name) {
  constexpr size_t kMaxShown = 100;
  std::string text = std::string(kind) + " " + to_string(index);
  if (name == nullptr || name->size() == 0) return text;
  std::string shown = name->str().substr(0, kMaxShown);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text + " '" + shown + (name->size() > kMaxShown ? "...'" : "'");
}

Status Checker::Charge(uint64_t elements, const std::string& thing) {
  if (elements > work_left_) {
    return Bad(thing, "the vectors of the graph have more elements than its " +
                          to_string(graph_bytes_) +
                          " bytes: many tables share one vector or string");
  }
  work_left_ -= elements;
  return OkStatus();
}

Status Checker::ChargeText(const std::string& thing,
                           std::initializer_list<const flatbuffers::String*> texts) {
  for (const flatbuffers::String* text : texts) {
    WHIT_RETURN_IF_ERROR(Charge(text == nullptr ? 0 : text->size(), thing));
  }
  return OkStatus();
}

Status Checker::Index(const std::string& thing, const char* what, int64_t index, uint64_t count,
                      bool optional) {
  if (optional && index == -1) return OkStatus();
  if (index >= 0 && static_cast<uint64_t>(index) < count) return OkStatus();
  return Bad(thing, std::string(what) + " " + to_string(index) + " does not exist, there are " +
                        to_string(count));
}

Status Checker::Enum(const std::string& thing, const char* what, unsigned value, unsigned max) {
  if (value <= max) return OkStatus();
  return Bad(thing, std::string(what) + " " + to_string(value) + " is unknown, the largest is " +
                        to_string(max));
}

Status Checker::BlobOfSize(const std::string& thing, const char* what, int index, uint64_t bytes,
                           bool optional) const {
  WHIT_RETURN_IF_ERROR(
      Index(thing, (std::string(what) + ": blob").c_str(), index, blobs(), optional));
  if (index < 0) return OkStatus();
  const uint64_t size = model_.blobs()->Get(static_cast<unsigned>(index))->size();
  if (size == bytes) return OkStatus();
  return Bad(thing, std::string(what) + ": " + to_string(bytes) + " bytes expected, blob " +
                        to_string(index) + " has " + to_string(size));
}

Status Checker::Storage() {
  WHIT_RETURN_IF_ERROR(Blobs());
  WHIT_RETURN_IF_ERROR(Dims());
  WHIT_RETURN_IF_ERROR(LabelLists());
  WHIT_RETURN_IF_ERROR(Provenance());
  WHIT_RETURN_IF_ERROR(Variables());
  for (unsigned i = 0; i < weights(); ++i) {
    const fbs::Weights& w = *model_.weights()->Get(i);
    WHIT_RETURN_IF_ERROR(WeightRecord(Named("weights", i, w.name()), w));
  }
  return OkStatus();
}

Status Checker::Blobs() {
  WHIT_RETURN_IF_ERROR(Charge(blobs(), "blobs"));
  std::vector<unsigned> order(blobs());
  std::iota(order.begin(), order.end(), 0u);
  for (unsigned i : order) {
    const fbs::Blob& b = *model_.blobs()->Get(i);
    const std::string thing = "blob " + to_string(i);
    if (b.offset() % format::kBlobAlignment != 0) {
      return Bad(thing, "offset " + to_string(b.offset()) + " is not a multiple of " +
                            to_string(format::kBlobAlignment));
    }
    if (b.offset() > weights_bytes_ || b.size() > weights_bytes_ - b.offset()) {
      return Bad(thing, to_string(b.size()) + " bytes at offset " + to_string(b.offset()) +
                            " end outside of the weights section of " + to_string(weights_bytes_) +
                            " bytes");
    }
    constexpr uint64_t kMaxChecksum = 65;  // algorithm byte and a digest of up to 512 bits
    if (SizeOf(b.checksum()) > kMaxChecksum) {
      return Bad(thing, "checksum record of " + to_string(SizeOf(b.checksum())) +
                            " bytes, at most " + to_string(kMaxChecksum));
    }
  }
  const auto blob = [this](unsigned i) { return model_.blobs()->Get(i); };
  std::erase_if(order, [&](unsigned i) { return blob(i)->size() == 0; });
  std::sort(order.begin(), order.end(),
            [&](unsigned a, unsigned b) { return blob(a)->offset() < blob(b)->offset(); });
  for (size_t i = 1; i < order.size(); ++i) {
    const fbs::Blob& before = *blob(order[i - 1]);
    if (before.offset() + before.size() > blob(order[i])->offset()) {
      return Bad("blob " + to_string(order[i]), "begins at " + to_string(blob(order[i])->offset()) +
                                                    ", blob " + to_string(order[i - 1]) +
                                                    " ends only at " +
                                                    to_string(before.offset() + before.size()));
    }
  }
  return OkStatus();
}

Status Checker::Dims() {
  std::vector<std::string_view> names;
  WHIT_RETURN_IF_ERROR(Charge(SizeOf(model_.dims()), "dims"));
  for (unsigned i = 0; i < SizeOf(model_.dims()); ++i) {
    const fbs::DimVar& d = *model_.dims()->Get(i);
    const std::string thing = Named("dimension", i, d.name());
    if (d.name() == nullptr || d.name()->size() == 0) return Bad(thing, "has no name");
    WHIT_RETURN_IF_ERROR(ChargeText(thing, {d.name()}));
    if (d.max() > INT32_MAX)
      return Bad(thing, "upper bound " + to_string(d.max()) + " is 2^31 or more");
    if (d.value() < 1 || d.value() > d.max()) {
      return Bad(thing,
                 "value " + to_string(d.value()) + " is outside of 1.." + to_string(d.max()));
    }
    names.push_back(d.name()->string_view());
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end())
    return Bad("dims", "two have the same name");
  return OkStatus();
}

Status Checker::LabelLists() {
  for (unsigned i = 0; i < SizeOf(model_.labels()); ++i) {
    const fbs::Labels& l = *model_.labels()->Get(i);
    const std::string thing = Named("labels", i, l.name());
    WHIT_RETURN_IF_ERROR(Charge(1 + SizeOf(l.labels()), thing));
    for (unsigned k = 0; k < SizeOf(l.labels()); ++k)
      WHIT_RETURN_IF_ERROR(ChargeText(thing, {l.labels()->Get(k)}));
  }
  return OkStatus();
}

Status Checker::Provenance() {
  WHIT_RETURN_IF_ERROR(Charge(SizeOf(model_.provenance()), "provenance"));
  for (unsigned i = 0; i < SizeOf(model_.provenance()); ++i) {
    const fbs::KeyValue& pair = *model_.provenance()->Get(i);
    WHIT_RETURN_IF_ERROR(ChargeText("provenance", {pair.key(), pair.value()}));
  }
  return OkStatus();
}

Status Checker::Variables() {
  WHIT_RETURN_IF_ERROR(Charge(variables(), "variables"));
  for (unsigned i = 0; i < variables(); ++i) {
    const fbs::Variable& v = *model_.variables()->Get(i);
    const std::string thing = Named("variable", i, v.name());
    WHIT_RETURN_IF_ERROR(ChargeText(thing, {v.name()}));
    WHIT_ASSIGN_OR_RETURN(const uint64_t bytes,
                          Describe(thing, {v.type(), v.shape(), v.quantization()}));
    WHIT_RETURN_IF_ERROR(BlobOfSize(thing, "initial value", v.init(), bytes, /*optional=*/true));
  }
  return OkStatus();
}

Result<uint64_t> Checker::Describe(const std::string& thing, const Description& d) {
  WHIT_RETURN_IF_ERROR(
      Enum(thing, "type", static_cast<unsigned>(d.type), static_cast<unsigned>(fbs::DType::MAX)));
  const uint64_t rank = SizeOf(d.shape);
  if (rank > format::kMaxRank) {
    return Bad(thing, "rank " + to_string(rank) + ", at most " + to_string(format::kMaxRank));
  }
  uint64_t elements = 1;
  for (unsigned i = 0; i < rank; ++i) {
    const uint64_t dim = d.shape->Get(i);
    if (dim == 0) return Bad(thing, "dimension " + to_string(i) + " is 0");
    // Both factors are below 2^32, so the product cannot wrap.
    elements *= dim;
    if (elements > format::kMaxElements) {
      return Bad(thing, "more than " + to_string(format::kMaxElements) +
                            " elements (dimensions 0.." + to_string(i) + " alone have " +
                            to_string(elements) + ")");
    }
  }
  WHIT_RETURN_IF_ERROR(Quantization(thing, d));
  return elements * FactsOf(d.type).bytes;
}

Status Checker::Scales(const std::string& thing, const Vec<float>* scales) {
  WHIT_RETURN_IF_ERROR(Charge(SizeOf(scales), thing));
  for (unsigned i = 0; i < SizeOf(scales); ++i) {
    const float scale = scales->Get(i);
    if (!(scale > 0) || !std::isfinite(scale)) {
      return Bad(thing, "scale " + to_string(i) + " is " + to_string(scale) +
                            ", must be finite and positive");
    }
  }
  return OkStatus();
}

Status Checker::Quantization(const std::string& thing, const Description& d) {
  if (d.quantization == nullptr) return OkStatus();
  const fbs::Quantization& q = *d.quantization;
  const uint64_t scales = SizeOf(q.scale()), zero_points = SizeOf(q.zero_point());
  if (scales != zero_points) {
    return Bad(thing,
               to_string(scales) + " scales, but " + to_string(zero_points) + " zero points");
  }
  if (scales == 0) return OkStatus();
  const TypeFacts facts = FactsOf(d.type);
  if (!facts.quantizable) {
    return Bad(thing, std::string("is quantized, which type ") + fbs::EnumNameDType(d.type) +
                          " cannot be");
  }
  if (q.axis() == -1) {
    if (scales != 1) return Bad(thing, to_string(scales) + " scales without an axis, 1 expected");
  } else {
    WHIT_RETURN_IF_ERROR(
        Index(thing, "quantization axis", q.axis(), SizeOf(d.shape), /*optional=*/false));
    const uint32_t dim = d.shape->Get(static_cast<unsigned>(q.axis()));
    if (scales != dim) {
      return Bad(thing, to_string(scales) + " scales for axis " + to_string(q.axis()) + " of " +
                            to_string(dim));
    }
  }
  WHIT_RETURN_IF_ERROR(Scales(thing, q.scale()));
  WHIT_RETURN_IF_ERROR(Charge(zero_points, thing));
  for (int32_t z : *q.zero_point()) {
    if (z < facts.min_zero_point || z > facts.max_zero_point) {
      return Bad(thing, "zero point " + to_string(z) + " is outside of " +
                            to_string(facts.min_zero_point) + ".." +
                            to_string(facts.max_zero_point));
    }
  }
  return OkStatus();
}

Status Checker::TensorFields(const std::string& thing, const fbs::Tensor& t) {
  WHIT_RETURN_IF_ERROR(ChargeText(thing, {t.name()}));
  WHIT_ASSIGN_OR_RETURN(const uint64_t bytes,
                        Describe(thing, {t.type(), t.shape(), t.quantization()}));
  WHIT_RETURN_IF_ERROR(BlobOfSize(thing, "constant", t.blob(), bytes, /*optional=*/true));
  WHIT_RETURN_IF_ERROR(Index(thing, "variable", t.variable(), variables(), /*optional=*/true));
  if (t.variable() >= 0) {
    if (t.blob() >= 0) return Bad(thing, "is both a constant and a variable");
    const fbs::Variable& v = *model_.variables()->Get(static_cast<unsigned>(t.variable()));
    const uint64_t rank = SizeOf(t.shape());
    if (v.type() != t.type())
      return Bad(thing, "has another type than variable " + to_string(t.variable()));
    if (SizeOf(v.shape()) != rank ||
        (rank > 0 && !std::equal(t.shape()->begin(), t.shape()->end(), v.shape()->begin()))) {
      return Bad(thing, "has another shape than variable " + to_string(t.variable()));
    }
  }
  return DimVars(thing, t);
}

Status Checker::DimVars(const std::string& thing, const fbs::Tensor& t) {
  const uint64_t count = SizeOf(t.dim_vars());
  if (count == 0) return OkStatus();
  if (count != SizeOf(t.shape())) {
    return Bad(thing,
               to_string(count) + " dimension variables for rank " + to_string(SizeOf(t.shape())));
  }
  for (unsigned i = 0; i < count; ++i) {
    const int index = t.dim_vars()->Get(i);
    WHIT_RETURN_IF_ERROR(
        Index(thing, "dimension variable", index, SizeOf(model_.dims()), /*optional=*/true));
    if (index < 0) continue;
    if (t.blob() >= 0 || t.variable() >= 0)
      return Bad(thing, "a constant or variable has a dimension that varies");
    const uint32_t max = model_.dims()->Get(static_cast<unsigned>(index))->max();
    if (t.shape()->Get(i) != max) {
      return Bad(thing, "dimension " + to_string(i) + " is " + to_string(t.shape()->Get(i)) +
                            ", the upper bound of its variable is " + to_string(max));
    }
  }
  return OkStatus();
}

Status Checker::WeightRecord(const std::string& thing, const fbs::Weights& w) {
  WHIT_RETURN_IF_ERROR(Charge(1, thing));
  WHIT_RETURN_IF_ERROR(ChargeText(thing, {w.name()}));
  WHIT_RETURN_IF_ERROR(
      Enum(thing, "layout", static_cast<unsigned>(w.layout()), kWeightLayoutCount - 1));
  const WeightDims dims{static_cast<WeightLayout>(w.layout()), w.groups(), w.n(), w.runs(),
                        w.run_length()};
  if (const char* error = WeightDimsError(dims)) {
    return Bad(thing, std::string(error) + " (groups " + to_string(w.groups()) + ", n " +
                          to_string(w.n()) + ", runs " + to_string(w.runs()) + ", run_length " +
                          to_string(w.run_length()) + ")");
  }
  const uint64_t elements = static_cast<uint64_t>(dims.n * dims.k());
  WHIT_ASSIGN_OR_RETURN(const uint64_t logical,
                        Describe(thing, {fbs::DType::uint8, w.shape(), nullptr}));
  if (logical != elements) {
    return Bad(thing, "the shape has " + to_string(logical) +
                          " elements, n * runs * run_length is " + to_string(elements));
  }
  if (IsFloat(dims.layout)) {
    if (SizeOf(w.scale()) != 0)
      return Bad(thing, "float weights have " + to_string(SizeOf(w.scale())) + " scales");
    if (w.zero_point() != 0)
      return Bad(thing, "float weights have zero point " + to_string(w.zero_point()));
  } else {
    const uint64_t scales = SizeOf(w.scale());
    if (scales != 1 && scales != w.n()) {
      return Bad(thing, to_string(scales) + " scales, 1 or " + to_string(w.n()) + " expected");
    }
    WHIT_RETURN_IF_ERROR(Scales(thing, w.scale()));
    if (w.zero_point() < INT8_MIN || w.zero_point() > INT8_MAX) {
      return Bad(thing, "zero point " + to_string(w.zero_point()) + " is outside of -128..127");
    }
  }
  return WeightArrays(thing, w);
}

Status Checker::WeightArrays(const std::string& thing, const fbs::Weights& w) {
  const WeightDims dims{static_cast<WeightLayout>(w.layout()), w.groups(), w.n(), w.runs(),
                        w.run_length()};
  const bool is_float = IsFloat(dims.layout);
  const bool panels = dims.layout == WeightLayout::kPanel16I8;
  const auto size = [](int64_t bytes) { return static_cast<uint64_t>(bytes); };
  WHIT_RETURN_IF_ERROR(
      BlobOfSize(thing, "data", w.data(), size(WeightDataBytes(dims)), /*optional=*/false));
  if (is_float && w.sums() != -1) return Bad(thing, "float weights have sums");
  WHIT_RETURN_IF_ERROR(BlobOfSize(thing, "sums", w.sums(), size(WeightSumsBytes(dims)), is_float));
  if (!panels && (w.limits() != -1 || w.pair_flags() != -1)) {
    return Bad(thing, "only panel16_i8 has limits and pair flags");
  }
  if (!panels) return OkStatus();
  WHIT_RETURN_IF_ERROR(
      BlobOfSize(thing, "limits", w.limits(), size(WeightLimitsBytes(dims)), /*optional=*/true));
  return BlobOfSize(thing, "pair flags", w.pair_flags(), size(WeightPairFlagsBytes(dims)),
                    /*optional=*/true);
}

}  // namespace whit::validate
