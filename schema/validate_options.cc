// Option tables: that the indices in them exist and the lists in them are as long as a list of axes
// can be. What the numbers mean is checked by the operator's own prepare (kernels/).
#include "schema/format.h"
#include "schema/validate_internal.h"

namespace whit::validate {
namespace {

using std::to_string;

template <typename T>
Status ShortList(const std::string& thing, const char* what, const Vec<T>* list) {
  if (SizeOf(list) <= format::kMaxRank) return OkStatus();
  return Bad(thing, std::string(what) + " has " + to_string(SizeOf(list)) + " elements, at most " +
                        to_string(format::kMaxRank));
}

// Checks a field if this table has one of that name: a table added to the schema is covered without
// a line here.
#define WHIT_FIELD(field, check) \
  if constexpr (requires { o.field(); }) WHIT_RETURN_IF_ERROR(check)
#define WHIT_BLOB(field) \
  WHIT_FIELD(field, Checker::Index(thing, #field ": blob", o.field(), c.blobs(), true))
#define WHIT_WEIGHTS(field) \
  WHIT_FIELD(field, Checker::Index(thing, #field ": weights", o.field(), c.weights(), true))
#define WHIT_LIST(field) WHIT_FIELD(field, ShortList(thing, #field, o.field()))

template <typename O>
Status Lists(const O& o, const std::string& thing) {
  WHIT_LIST(axes);
  WHIT_LIST(perm);
  WHIT_LIST(before);
  WHIT_LIST(after);
  WHIT_LIST(begin);
  WHIT_LIST(size);
  WHIT_LIST(stride);
  WHIT_LIST(multiples);
  WHIT_LIST(block);
  WHIT_LIST(gates);
  return OkStatus();
}

template <typename O>
Status Fields(const Checker& c, const std::string& thing, const void* table) {
  const O& o = *static_cast<const O*>(table);
  (void)c;
  if constexpr (requires {
                  o.lo();
                  o.hi();
                }) {
    if (!(o.lo() <= o.hi())) {
      return Bad(thing, "lo " + to_string(o.lo()) + " must not be above hi " + to_string(o.hi()));
    }
  }
  WHIT_WEIGHTS(weights);
  WHIT_WEIGHTS(feature_weights);
  WHIT_WEIGHTS(projection_weights);
  WHIT_WEIGHTS(input_weights);
  WHIT_WEIGHTS(recurrent_weights);
  WHIT_BLOB(time_weights);
  WHIT_BLOB(bias);
  WHIT_BLOB(multiplier);
  WHIT_BLOB(table);
  WHIT_BLOB(tables);
  WHIT_BLOB(projection_bias);
  WHIT_BLOB(feature_bias);
  WHIT_BLOB(input_bias);
  WHIT_BLOB(recurrent_bias);
  WHIT_BLOB(peephole);
  WHIT_BLOB(norm);
  WHIT_BLOB(norm_bias);
  WHIT_FIELD(variable, Checker::Index(thing, "variable", o.variable(), c.variables(), false));
  WHIT_FIELD(mode, Checker::Enum(thing, "mode", static_cast<unsigned>(o.mode()),
                                 static_cast<unsigned>(fbs::PadMode::MAX)));
  WHIT_RETURN_IF_ERROR(Lists(o, thing));
  if constexpr (requires { o.gates(); }) {
    for (unsigned i = 0; i < SizeOf(o.gates()); ++i) {
      const std::string gate = thing + " gate " + to_string(i);
      WHIT_RETURN_IF_ERROR(Fields<fbs::LstmGate>(c, gate, o.gates()->Get(i)));
    }
  }
  return OkStatus();
}

// `(*check)(...)` of the table that this member of the union holds, or null. No default: the
// compiler names a member that the schema has and this switch has not.
using FieldCheck = Status (*)(const Checker&, const std::string&, const void*);
FieldCheck CheckOf(fbs::Options type) {
  using enum fbs::Options;
  // clang-format off: the members of one table together
  switch (type) {
    case Conv2D:
    case DepthwiseConv2D:
    case TransposeConv2D:
      return Fields<fbs::ConvOptions>;
    case FullyConnected:
      return Fields<fbs::FullyConnectedOptions>;
    case BatchMatMul:
      return Fields<fbs::BatchMatMulOptions>;
    case Add:
    case Sub:
    case Mul:
    case Div:
    case Maximum:
    case Minimum:
    case SquaredDifference:
    case FloorDiv:
    case FloorMod:
    case Pow:
    case Equal:
    case NotEqual:
    case Less:
    case LessEqual:
    case Greater:
    case GreaterEqual:
    case LogicalAnd:
    case LogicalOr:
      return Fields<fbs::BinaryOptions>;
    case Abs:
    case Neg:
    case Sqrt:
    case Rsqrt:
    case Square:
    case Exp:
    case Log:
    case Sin:
    case Cos:
    case Floor:
    case Ceil:
    case Round:
    case Logistic:
    case Tanh:
    case Relu:
    case Relu6:
    case ReluN1To1:
    case LeakyRelu:
    case Elu:
    case HardSwish:
    case Gelu:
    case LogicalNot:
      return Fields<fbs::UnaryOptions>;
    case Table:
    case Table16:
      return Fields<fbs::TableOptions>;
    case Quantize:
    case Dequantize:
      return Fields<fbs::QuantizeOptions>;
    case Cast:
      return Fields<fbs::CastOptions>;
    case PRelu:
      return Fields<fbs::PReluOptions>;
    case Select:
      return Fields<fbs::SelectOptions>;
    case AveragePool2D:
    case MaxPool2D:
      return Fields<fbs::PoolOptions>;
    case Mean:
    case Sum:
    case ReduceMax:
    case ReduceMin:
    case ReduceProd:
    case ReduceAny:
    case ReduceAll:
      return Fields<fbs::ReduceOptions>;
    case ArgMax:
    case ArgMin:
    case Concatenation:
    case Split:
      return Fields<fbs::AxisOptions>;
    case TopK:
      return Fields<fbs::TopKOptions>;
    case Softmax:
    case LogSoftmax:
      return Fields<fbs::SoftmaxOptions>;
    case L2Normalization:
      return Fields<fbs::L2NormOptions>;
    case Reshape:
      return Fields<fbs::ReshapeOptions>;
    case Transpose:
      return Fields<fbs::TransposeOptions>;
    case Pad:
      return Fields<fbs::PadOptions>;
    case Slice:
      return Fields<fbs::SliceOptions>;
    case Gather:
      return Fields<fbs::GatherOptions>;
    case GatherNd:
      return Fields<fbs::GatherNdOptions>;
    case Tile:
      return Fields<fbs::TileOptions>;
    case BroadcastTo:
      return Fields<fbs::BroadcastToOptions>;
    case SpaceToBatchNd:
    case BatchToSpaceNd:
    case SpaceToDepth:
    case DepthToSpace:
      return Fields<fbs::BlockOptions>;
    case Reverse:
      return Fields<fbs::ReverseOptions>;
    case CumSum:
      return Fields<fbs::CumSumOptions>;
    case OneHot:
      return Fields<fbs::OneHotOptions>;
    case Fill:
      return Fields<fbs::FillOptions>;
    case Range:
      return Fields<fbs::RangeOptions>;
    case Shape:
      return Fields<fbs::ShapeOptions>;
    case ResizeBilinear:
    case ResizeNearest:
      return Fields<fbs::ResizeOptions>;
    case ReadVariable:
    case AssignVariable:
      return Fields<fbs::VariableOptions>;
    case Lstm:
      return Fields<fbs::LstmOptions>;
    case Svdf:
      return Fields<fbs::SvdfOptions>;
    case NonMaxSuppression:
      return Fields<fbs::NonMaxSuppressionOptions>;
    case DetectionPostProcess:
      return Fields<fbs::DetectionPostProcessOptions>;
    case NONE:
      return nullptr;
  }
  // clang-format on
  return nullptr;
}

}  // namespace

Status Checker::Options(const std::string& thing, const fbs::Operator& op) {
  const FieldCheck check = CheckOf(op.options_type());
  if (check == nullptr) {
    return Status(StatusCode::kUnsupported,
                  thing + ": operator type " + to_string(static_cast<unsigned>(op.options_type())) +
                      " is unknown, this reader knows 1.." +
                      to_string(static_cast<unsigned>(fbs::Options::MAX)));
  }
  if (op.options() == nullptr) return Bad(thing, "has no options table");
  if (op.version() < 1 || op.version() > format::kMaxOperatorVersion) {
    return Status(StatusCode::kUnsupported,
                  thing + ": operator version " + to_string(op.version()) +
                      ", this reader knows 1.." + to_string(format::kMaxOperatorVersion));
  }
  return check(*this, thing, op.options());
}

}  // namespace whit::validate
