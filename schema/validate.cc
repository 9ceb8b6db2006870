#include "schema/validate.h"

#include <cmath>
#include <limits>
#include <vector>

#include "schema/format.h"
#include "schema/validate_internal.h"

namespace whit {

using std::to_string;
using validate::Bad;
using validate::Checker;
using validate::Named;
using validate::SizeOf;
using validate::Vec;

namespace {

// Where a tensor's value comes from. Operators run in file order, so "defined" means: by now.
enum class Origin : uint8_t { kUndefined, kConstant, kVariable, kInput, kProduced };

const char* NameOf(Origin origin) {
  switch (origin) {
    case Origin::kConstant:
      return "a constant";
    case Origin::kVariable:
      return "a variable";
    case Origin::kInput:
      return "an input of the model";
    case Origin::kProduced:
      return "the output of an earlier operator";
    case Origin::kUndefined:
      break;
  }
  return "undefined";
}

// One subgraph with the signatures that name it.
class SubgraphChecker {
 public:
  SubgraphChecker(Checker* checker, const fbs::Subgraph& graph, const std::string& thing)
      : c_(*checker), graph_(graph), thing_(thing) {}

  Status Tensors() {
    WHIT_RETURN_IF_ERROR(c_.Charge(tensors(), thing_));
    origins_.resize(tensors(), Origin::kUndefined);
    for (unsigned i = 0; i < tensors(); ++i) {
      const fbs::Tensor& t = *graph_.tensors()->Get(i);
      WHIT_RETURN_IF_ERROR(c_.TensorFields(TensorName(i), t));
      if (t.blob() >= 0) origins_[i] = Origin::kConstant;
      if (t.variable() >= 0) origins_[i] = Origin::kVariable;
    }
    return OkStatus();
  }

  Status Inputs(const std::string& signature, const Vec<flatbuffers::Offset<fbs::Io>>* inputs) {
    WHIT_RETURN_IF_ERROR(c_.Charge(SizeOf(inputs), signature));
    for (unsigned i = 0; i < SizeOf(inputs); ++i) {
      const fbs::Io& io = *inputs->Get(i);
      const std::string thing = signature + " " + Named("input", i, io.name());
      WHIT_RETURN_IF_ERROR(IoFields(thing, io));
      Origin& origin = origins_[io.tensor()];
      if (origin != Origin::kUndefined)
        return Bad(thing, TensorName(io.tensor()) + " is already " + NameOf(origin));
      origin = Origin::kInput;
    }
    return OkStatus();
  }

  Status Operators() {
    WHIT_RETURN_IF_ERROR(c_.Charge(SizeOf(graph_.operators()), thing_));
    for (unsigned i = 0; i < SizeOf(graph_.operators()); ++i) {
      const fbs::Operator& op = *graph_.operators()->Get(i);
      WHIT_RETURN_IF_ERROR(OneOperator(OperatorName(i, op), op));
    }
    return OkStatus();
  }

  Status Outputs(const std::string& signature, const Vec<flatbuffers::Offset<fbs::Io>>* outputs) {
    WHIT_RETURN_IF_ERROR(c_.Charge(SizeOf(outputs), signature));
    for (unsigned i = 0; i < SizeOf(outputs); ++i) {
      const fbs::Io& io = *outputs->Get(i);
      const std::string thing = signature + " " + Named("output", i, io.name());
      WHIT_RETURN_IF_ERROR(IoFields(thing, io));
      if (origins_[io.tensor()] == Origin::kUndefined) {
        return Bad(thing,
                   TensorName(io.tensor()) + " is neither computed by an operator nor given");
      }
    }
    return OkStatus();
  }

  // A subgraph that no signature names is never run by itself, so what it does not compute is its
  // input.
  Status AssumeInputs() {
    std::vector<bool> produced(tensors(), false);
    for (unsigned i = 0; i < SizeOf(graph_.operators()); ++i) {
      const auto* outputs = graph_.operators()->Get(i)->outputs();
      WHIT_RETURN_IF_ERROR(c_.Charge(1 + SizeOf(outputs), thing_));
      for (unsigned o = 0; o < SizeOf(outputs); ++o) {
        const int t = outputs->Get(o);
        if (t >= 0 && static_cast<uint64_t>(t) < tensors()) produced[static_cast<size_t>(t)] = true;
      }
    }
    for (size_t i = 0; i < origins_.size(); ++i) {
      if (!produced[i] && origins_[i] == Origin::kUndefined) origins_[i] = Origin::kInput;
    }
    return OkStatus();
  }

 private:
  uint64_t tensors() const { return SizeOf(graph_.tensors()); }

  std::string TensorName(unsigned i) const {
    return Named("tensor", i, graph_.tensors()->Get(i)->name());
  }

  static std::string OperatorName(unsigned i, const fbs::Operator& op) {
    return Named("operator", i, op.name()) + " (" + fbs::EnumNameOptions(op.options_type()) + ")";
  }

  Status OneOperator(const std::string& thing, const fbs::Operator& op) {
    WHIT_RETURN_IF_ERROR(c_.Options(thing, op));
    WHIT_RETURN_IF_ERROR(c_.ChargeText(thing, {op.name()}));
    WHIT_RETURN_IF_ERROR(
        c_.Charge(SizeOf(op.inputs()) + SizeOf(op.outputs()) + SizeOf(op.sources()), thing));
    for (unsigned i = 0; i < SizeOf(op.inputs()); ++i) {
      const int t = op.inputs()->Get(i);
      WHIT_RETURN_IF_ERROR(Checker::Index(thing, "input: tensor", t, tensors(), /*optional=*/true));
      if (t >= 0 && origins_[static_cast<size_t>(t)] == Origin::kUndefined) {
        return Bad(thing, "input " + to_string(i) + " is " + TensorName(static_cast<unsigned>(t)) +
                              ", which nothing before this operator computes");
      }
    }
    for (unsigned i = 0; i < SizeOf(op.outputs()); ++i) {
      const int t = op.outputs()->Get(i);
      WHIT_RETURN_IF_ERROR(
          Checker::Index(thing, "output: tensor", t, tensors(), /*optional=*/false));
      Origin& origin = origins_[static_cast<size_t>(t)];
      if (origin != Origin::kUndefined) {
        return Bad(thing, "output " + to_string(i) + " is " + TensorName(static_cast<unsigned>(t)) +
                              ", which is already " + NameOf(origin));
      }
      origin = Origin::kProduced;
    }
    return OkStatus();
  }

  Status IoFields(const std::string& thing, const fbs::Io& io) {
    WHIT_RETURN_IF_ERROR(c_.ChargeText(thing, {io.name()}));
    WHIT_RETURN_IF_ERROR(
        Checker::Index(thing, "tensor", io.tensor(), tensors(), /*optional=*/false));
    WHIT_RETURN_IF_ERROR(Checker::Index(thing, "labels", io.labels(), SizeOf(c_.model().labels()),
                                        /*optional=*/true));
    WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "type", static_cast<unsigned>(io.type()),
                                       static_cast<unsigned>(fbs::DType::MAX)));
    const fbs::Tensor& t = *graph_.tensors()->Get(io.tensor());
    const bool quantized = t.quantization() != nullptr && SizeOf(t.quantization()->scale()) != 0;
    const bool shifted =
        io.type() == fbs::DType::uint8 && t.type() == fbs::DType::int8 && quantized;
    if (io.type() != t.type() && !shifted) {
      return Bad(thing, std::string("is ") + fbs::EnumNameDType(io.type()) + ", but " +
                            TensorName(io.tensor()) + " is " + fbs::EnumNameDType(t.type()) +
                            " (only quantized int8 may be seen as uint8)");
    }
    return io.normalization() == nullptr ? OkStatus() : Normalization(thing, *io.normalization());
  }

  Status Normalization(const std::string& thing, const fbs::Normalization& n) {
    constexpr uint64_t kMaxChannels =
        16;  // pictures have 1, 3 or 4; stacks of a few of them are the most there is
    WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "resize rule", static_cast<unsigned>(n.resize()),
                                       static_cast<unsigned>(fbs::Resize::MAX)));
    WHIT_RETURN_IF_ERROR(Checker::Enum(thing, "channel order", static_cast<unsigned>(n.channels()),
                                       static_cast<unsigned>(fbs::ChannelOrder::MAX)));
    const uint64_t means = SizeOf(n.mean()), stds = SizeOf(n.std());
    if (means != stds || means > kMaxChannels) {
      return Bad(thing, to_string(means) + " means and " + to_string(stds) +
                            " standard deviations; as many of each, at most " +
                            to_string(kMaxChannels));
    }
    for (unsigned i = 0; i < means; ++i) {
      const float mean = n.mean()->Get(i), std = n.std()->Get(i);
      if (!std::isfinite(mean) || !std::isfinite(std) || std == 0) {
        return Bad(thing, "mean " + to_string(mean) + " and standard deviation " + to_string(std) +
                              " of channel " + to_string(i) +
                              ": must be finite, and the second not 0");
      }
    }
    return OkStatus();
  }

  Checker& c_;
  const fbs::Subgraph& graph_;
  const std::string thing_;
  std::vector<Origin> origins_;
};

// Files in use have one, those of training on the device up to five; each costs one pass over its
// subgraph.
constexpr uint64_t kMaxSignatures = 16;
// A packed weight array has four blobs and its operator two.
constexpr uint64_t kBlobsPerTensor = 8;

Status AtMost(const char* what, uint64_t count, uint64_t limit) {
  if (count <= limit) return OkStatus();
  return Status(StatusCode::kOverBudget, "graph: " + to_string(count) + " " + what + ", at most " +
                                             to_string(limit) + " are allowed");
}

Status CheckCounts(const fbs::Model& model, const ReadLimits& limits) {
  if (SizeOf(model.subgraphs()) == 0) return Bad("graph", "has no subgraph");
  if (SizeOf(model.signatures()) == 0) return Bad("graph", "has no signature");
  uint64_t tensors = 0, operators = 0;
  for (const fbs::Subgraph* s : *model.subgraphs()) {
    tensors += SizeOf(s->tensors());
    operators += SizeOf(s->operators());
  }
  const uint64_t max = limits.max_tensors;
  WHIT_RETURN_IF_ERROR(AtMost("tensors", tensors, max));
  WHIT_RETURN_IF_ERROR(AtMost("operators", operators, limits.max_operators));
  WHIT_RETURN_IF_ERROR(AtMost("subgraphs", SizeOf(model.subgraphs()), max));
  WHIT_RETURN_IF_ERROR(AtMost("signatures", SizeOf(model.signatures()), kMaxSignatures));
  WHIT_RETURN_IF_ERROR(AtMost("weights", SizeOf(model.weights()), max));
  WHIT_RETURN_IF_ERROR(AtMost("variables", SizeOf(model.variables()), max));
  WHIT_RETURN_IF_ERROR(AtMost("dims", SizeOf(model.dims()), max));
  WHIT_RETURN_IF_ERROR(AtMost("label lists", SizeOf(model.labels()), max));
  return AtMost("blobs", SizeOf(model.blobs()), max * kBlobsPerTensor);
}

Status CheckSignatures(const fbs::Model& model) {
  for (unsigned i = 0; i < model.signatures()->size(); ++i) {
    const fbs::Signature& s = *model.signatures()->Get(i);
    const std::string thing = Named("signature", i, s.name());
    WHIT_RETURN_IF_ERROR(
        Checker::Index(thing, "subgraph", s.subgraph(), SizeOf(model.subgraphs()), false));
    if (SizeOf(s.inputs()) == 0 || SizeOf(s.outputs()) == 0) {
      return Bad(thing, "has " + to_string(SizeOf(s.inputs())) + " inputs and " +
                            to_string(SizeOf(s.outputs())) + " outputs, at least 1 of each");
    }
  }
  return OkStatus();
}

// A subgraph under one signature, or under none.
Status CheckSubgraph(Checker* checker, unsigned index, const fbs::Signature* signature,
                     unsigned signature_index) {
  const fbs::Subgraph& graph = *checker->model().subgraphs()->Get(index);
  SubgraphChecker subgraph(checker, graph, Named("subgraph", index, graph.name()));
  WHIT_RETURN_IF_ERROR(subgraph.Tensors());
  if (signature == nullptr) {
    WHIT_RETURN_IF_ERROR(subgraph.AssumeInputs());
    return subgraph.Operators();
  }
  const std::string name = Named("signature", signature_index, signature->name());
  WHIT_RETURN_IF_ERROR(subgraph.Inputs(name, signature->inputs()));
  WHIT_RETURN_IF_ERROR(subgraph.Operators());
  return subgraph.Outputs(name, signature->outputs());
}

}  // namespace

Status ValidateModel(const fbs::Model& model, uint64_t graph_bytes, uint64_t weights_bytes,
                     const ReadLimits& limits) {
  WHIT_RETURN_IF_ERROR(CheckCounts(model, limits));
  WHIT_RETURN_IF_ERROR(CheckSignatures(model));
  Checker checker(model, graph_bytes, weights_bytes);
  WHIT_RETURN_IF_ERROR(checker.Storage());
  std::vector<bool> named(SizeOf(model.subgraphs()), false);
  for (unsigned i = 0; i < model.signatures()->size(); ++i) {
    const fbs::Signature& s = *model.signatures()->Get(i);
    named[s.subgraph()] = true;
    checker.BeginPass();
    WHIT_RETURN_IF_ERROR(CheckSubgraph(&checker, s.subgraph(), &s, i));
  }
  checker.BeginPass();
  for (unsigned i = 0; i < named.size(); ++i) {
    if (!named[i]) WHIT_RETURN_IF_ERROR(CheckSubgraph(&checker, i, nullptr, 0));
  }
  return OkStatus();
}

}  // namespace whit
