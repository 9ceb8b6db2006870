// A model written in C++: what recipes, the ONNX importer and tests make graphs with. Layout is
// NHWC; everything ends in the same packing, folding, fusing and emitting as a .tflite.
//
//   GraphBuilder g;
//   Value x = g.Input("image", DType::kFloat32, Shape{1, 32, 32, 3});
//   x = g.At("conv1").Conv2D(x, weights, bias, {.kernel = {3, 3}, .before = {1, 1}, .after = {1,
//   1}}); x = g.At("bn1").BatchNorm(x, bn);          // becomes part of the convolution
//   g.Output("scores", g.Relu(x));
//   Result<std::vector<std::byte>> whit = g.FinishBytes();
//
// Errors: every method may be called at any time. What whit has no operator for is collected (one
// message lists all of it), any other error sticks; either way the method returns a Value that
// later calls pass on. FinishBytes() says what was wrong, with the names that At() gave. Constant
// operands fold at once: a method over constants returns a constant.
#ifndef WHIT_TOOLS_IMPORT_GRAPH_BUILDER_H_
#define WHIT_TOOLS_IMPORT_GRAPH_BUILDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/import/refusals.h"
#include "tools/import/scope.h"
#include "tools/import/window.h"

namespace whit::tools {

/// A tensor of a GraphBuilder, by number. Value() is an absent optional operand.
class Value {
 public:
  constexpr Value() = default;
  constexpr bool present() const { return index_ != kAbsent; }
  constexpr bool operator==(const Value&) const = default;

 private:
  friend class GraphBuilder;
  static constexpr int kAbsent = -1, kFailed = -2;
  explicit constexpr Value(int index) : index_(index) {}
  int index_ = kAbsent;
};

/// real = scale * (stored - zero_point). Empty: not quantized.
struct Quantization {
  std::vector<float> scale;         // one, or one an index of `axis`
  std::vector<int32_t> zero_point;  // as many, or none: 0
  int axis = -1;

  bool empty() const { return scale.empty(); }
};

/// Type and quantization of a result that is quantized.
struct QuantizedType {
  DType type = DType::kInt8;  // kInt8, kUint8 or kInt16; kInt32 for Quantize alone
  float scale = 1;
  int32_t zero_point = 0;
};

/// A window that slides over height and width: of convolutions and pools. Pairs are {height,
/// width}. Output: floor((in + before + after - ((kernel - 1) * dilation + 1)) / stride) + 1.
struct Window2D {
  std::array<int64_t, 2> kernel = {1, 1};  // pools only; convolutions read it from their weights
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> dilation = {1, 1};
  std::array<int64_t, 2> before = {0, 0}, after = {0, 0};  // padding, in pixels
};

/// Axis `i` (0: height) of a window over `in` pixels with a kernel of `kernel`, output size
/// included. Checks every number.
Result<Window> PlaceWindow(const Scope& l, const Window2D& window, size_t i, int64_t in,
                           int64_t kernel);
/// Paddings are in 0..kMaxWindow.
Status CheckPads(const Scope& l, const Window2D& window);

/// The padding that makes the output ceil(in / stride) pixels, the odd pixel behind (TensorFlow's
/// SAME). `in` is {height, width}; `window.kernel` is read.
Window2D SamePadding(Window2D window, std::array<int64_t, 2> in);

/// A fused activation: clamp of the real result.
struct Bounds {
  float lo = -std::numeric_limits<float>::infinity();
  float hi = std::numeric_limits<float>::infinity();
};

/// The order of a constant array of convolution weights. O: output channels, I: input channels of
/// one group, H and W: the kernel.
enum class WeightOrder : uint8_t {
  kOHWI,  // whit, TFLite
  kOIHW,  // PyTorch, ONNX
  kHWIO,  // TensorFlow, Keras, JAX
  kIOHW,  // PyTorch's and ONNX' transposed convolutions
  kHWOI,  // Keras' transposed convolutions, TensorFlow's depthwise ones ([H,W,C,multiplier])
};

struct ConvArgs {
  Window2D window;
  int64_t groups = 1;
  WeightOrder order = WeightOrder::kOHWI;
  Bounds bounds;
  std::optional<QuantizedType> out;  // of quantized operands
};

struct TransposeConvArgs {
  Window2D window;  // before and after: pixels cut off the full output, (in - 1) * stride + extent
  std::array<int64_t, 2> extra = {0, 0};  // pixels added behind (PyTorch's output_padding)
  int64_t groups = 1;
  WeightOrder order = WeightOrder::kOHWI;
  Bounds bounds;
  std::optional<QuantizedType> out;
};

struct LinearArgs {
  bool in_out = false;  // weights are [K, n] (Keras, TensorFlow); else [n, K] (PyTorch, TFLite)
  Bounds bounds;
  std::optional<QuantizedType> out;
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis. Constants of one
/// element a channel; gamma and beta may be absent (1 and 0).
struct BatchNormArgs {
  Value gamma, beta, mean, variance;
  float epsilon = 1e-5f;
};

struct AveragePoolArgs {
  Window2D window;
  bool count_padding = false;  // padding counts as zeros (PyTorch's count_include_pad)
  std::array<int64_t, 2> overhang = {0, 0};  // more pixels behind that never count (ceil_mode)
  Bounds bounds;
};

/// One direction of a recurrent layer, float. Rows of the weights are gates of `hidden` rows each,
/// in PyTorch's order: i, f, g, o for an LSTM; r, z, n for a GRU.
struct RecurrentArgs {
  Value input_weights;               // [gates * hidden, inputs], constant
  Value recurrent_weights;           // [gates * hidden, hidden], constant
  Value input_bias, recurrent_bias;  // [gates * hidden], constant or absent
  Value hidden, cell;                // [N, hidden] before the first step; absent: 0
  bool reverse = false;              // from the last step to the first
  bool reset_after = true;           // GRU: r scales the product of n (PyTorch), or its input
};

struct RecurrentResult {
  Value sequence;      // [T, N, hidden], in the order of the input
  Value hidden, cell;  // [N, hidden] behind the last step that was computed
};

enum class ResizeRule : uint8_t {
  kAsymmetric,    // source = i * scale
  kHalfPixel,     // source = (i + 0.5) * scale - 0.5
  kAlignCorners,  // the corners' centers meet
};

class GraphBuilder {
 public:
  /// Size of the source of a model that a program makes by itself, as the bounds count.
  static constexpr uint64_t kOwnModel = uint64_t{1} << 30;

  /// `source_bytes`: size of what the model is read from, from which the bounds on memory and work
  /// follow (SetBudgets).
  explicit GraphBuilder(ImportOptions options = {}, uint64_t source_bytes = kOwnModel);
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  // ---- names ----
  /// Names the nodes that the next calls make, until the next At. Returns *this.
  GraphBuilder& At(const std::string& name);
  /// The same with the label that messages have ("node 3 (Conv 'conv1')") and the number of the
  /// source node.
  GraphBuilder& At(const std::string& label, const std::string& name, uint32_t source);

  // ---- ends ----
  Value Input(const std::string& name, DType type, const Shape& shape,
              const Quantization& quantization = {});
  /// Pixels 0..255 become real = (pixel - mean) / std, as `whit classify` reads it. Of an input.
  void SetNormalization(Value input, const std::vector<float>& mean, const std::vector<float>& std);
  void Output(const std::string& name, Value value);
  /// Bytes row-major, little-endian. Quantized uint8 becomes int8 less 128.
  Value Constant(DType type, const Shape& shape, Bytes bytes,
                 const Quantization& quantization = {});
  Value Floats(const Shape& shape, std::span<const float> values);
  Value Float(float value) { return Floats(Shape(), {&value, 1}); }
  Value Int32s(const Shape& shape, std::span<const int32_t> values);
  Value Int64s(const Shape& shape, std::span<const int64_t> values);
  Value Bools(const Shape& shape, std::span<const uint8_t> values);

  // ---- what is known ----
  /// Of a value that is absent or failed: a scalar float32.
  const GraphTensor& Info(Value value) const;
  const Shape& shape(Value value) const { return Info(value).shape; }
  DType type(Value value) const { return Info(value).type; }
  bool constant(Value value) const { return Info(value).is_const(); }
  /// A call failed and this is its result.
  bool failed(Value value) const { return value.index_ == Value::kFailed; }
  /// Elements of a constant int32 or int64 value, few of them; nothing where it is something else.
  std::optional<std::vector<int64_t>> ConstantInts(Value value) const;
  /// What is wrong so far: the error that sticks, else what is not supported, else OK.
  Status status() const;
  /// A failure of the caller's own; the result is a failed value. kUnsupported is collected.
  Value Fail(const Status& status);
  /// A failed value without an error: for callers that keep their own account of what is wrong.
  Value Failed() const { return Value(Value::kFailed); }
  Value Unsupported(const std::string& what);
  Value Invalid(const std::string& what);
  Graph& graph() { return state_.graph; }
  const ImportOptions& options() const { return state_.options; }
  ImportReport& report() { return state_.report; }
  /// How many nodes At() has named.
  uint32_t nodes() const { return nodes_; }

  // ---- products: weights constant unless said otherwise; float, int8 weights or all quantized
  // ----
  /// x[N,H,W,C] * weights -> [N,oh,ow,O]. bias[O], float or int32 (scale: x's times the weights'),
  /// or absent. Depthwise where `groups` is C. Output channels of group g lie behind those of g-1.
  Value Conv2D(Value x, Value weights, Value bias, const ConvArgs& args);
  /// Every input channel by itself, output channel c * multiplier + m. `order` kHWOI has weights
  /// [H,W,C,multiplier]; any other the dimensions of a convolution in C groups.
  Value DepthwiseConv2D(Value x, Value weights, Value bias, ConvArgs args);
  /// Every input pixel paints the kernel onto the output. Dilation and groups are composed.
  Value TransposeConv2D(Value x, Value weights, Value bias, const TransposeConvArgs& args);
  /// x[..., K] * weights -> [..., n]. Weights and bias may be computed at run time (float).
  Value Linear(Value x, Value weights, Value bias, const LinearArgs& args = {});
  /// NumPy's matmul, operands of rank 2 or more; a constant right matrix becomes packed weights.
  /// adj_*: the last two axes exchanged.
  Value MatMul(Value x, Value y, bool adj_x = false, bool adj_y = false,
               const std::optional<QuantizedType>& out = {});
  /// One multiplication and one addition, which become part of the product before them where nobody
  /// else reads it and it has no activation.
  Value BatchNorm(Value x, const BatchNormArgs& args);

  // ---- two operands, broadcast; types equal ----
  Value Add(Value a, Value b, const std::optional<QuantizedType>& out = {});
  Value Sub(Value a, Value b, const std::optional<QuantizedType>& out = {});
  Value Mul(Value a, Value b, const std::optional<QuantizedType>& out = {});
  Value Div(Value a, Value b, const std::optional<QuantizedType>& out = {});
  /// Any of Add .. Pow and Maximum, Minimum, SquaredDifference, FloorDiv, FloorMod.
  Value Binary(OpType op, Value a, Value b, const std::optional<QuantizedType>& out = {});
  Value Maximum(Value a, Value b) { return Binary(OpType::kMaximum, a, b); }
  Value Minimum(Value a, Value b) { return Binary(OpType::kMinimum, a, b); }
  Value Pow(Value a, Value b) { return Binary(OpType::kPow, a, b); }
  /// Equal .. GreaterEqual, LogicalAnd, LogicalOr: bool.
  Value Compare(OpType op, Value a, Value b);
  Value LogicalNot(Value x);
  /// condition ? a : b, condition bool.
  Value Select(Value condition, Value a, Value b);
  Value PRelu(Value x, Value alpha);

  // ---- one operand ----
  /// Any of Abs .. HardSwish. `alpha`: LeakyRelu. Quantized operands become a table.
  Value Unary(OpType op, Value x, float alpha = 0, const std::optional<QuantizedType>& out = {});
  Value Relu(Value x) { return Clamp(x, {.lo = 0}); }
  Value Relu6(Value x) { return Clamp(x, {.lo = 0, .hi = 6}); }
  /// Becomes part of the operator before it where it can.
  Value Clamp(Value x, const Bounds& bounds);
  Value LeakyRelu(Value x, float alpha) { return Unary(OpType::kLeakyRelu, x, alpha); }
  /// x > 0 ? x : alpha * (exp(x) - 1).
  Value Elu(Value x, float alpha = 1);
  /// x * Phi(x); `tanh`: the approximation.
  Value Gelu(Value x, bool tanh = false);
  Value Sigmoid(Value x) { return Unary(OpType::kLogistic, x); }
  Value Tanh(Value x) { return Unary(OpType::kTanh, x); }
  Value HardSwish(Value x) { return Unary(OpType::kHardSwish, x); }
  Value Swish(Value x) { return Mul(x, Sigmoid(x)); }
  /// clamp(alpha * x + beta, 0, 1).
  Value HardSigmoid(Value x, float alpha, float beta);
  /// log(1 + exp(x)), composed so that it neither overflows nor cancels.
  Value Softplus(Value x);
  /// Composed from the exact Gelu: erf(x) = sqrt(2) * gelu(sqrt(2) x) / x - 1 where |x| is not
  /// small, a polynomial elsewhere. Absolute error below 2e-6.
  Value Erf(Value x);
  /// -1, 0 or 1 of a float or integer type.
  Value Sign(Value x);
  Value Cast(Value x, DType type);

  // ---- along axes (negative: from behind) ----
  /// `beta` multiplies x first. Any axis; others than the last cost two transposes.
  Value Softmax(Value x, int axis = -1, float beta = 1,
                const std::optional<QuantizedType>& out = {});
  Value LogSoftmax(Value x, int axis = -1);
  /// Over the last `axes` axes: (x - mean) / sqrt(variance + epsilon) * gamma + beta. gamma and
  /// beta may be absent. Composed of means and elementwise steps.
  Value LayerNorm(Value x, int axes, Value gamma, Value beta, float epsilon);
  /// x / sqrt(max(sum of squares, 1e-6)) along the last axis.
  Value L2Norm(Value x);
  /// Mean, Sum, ReduceMax, ReduceMin, ReduceProd, ReduceAny or ReduceAll.
  Value Reduce(OpType op, Value x, const std::vector<int64_t>& axes, bool keep_dims);
  Value Mean(Value x, const std::vector<int64_t>& axes, bool keep_dims = false) {
    return Reduce(OpType::kMean, x, axes, keep_dims);
  }
  /// x[N,H,W,C] -> [N,C] or, with keep_dims, [N,1,1,C].
  Value GlobalAveragePool(Value x, bool keep_dims = false) { return Mean(x, {1, 2}, keep_dims); }
  /// Indices of the first largest (smallest) element, `type` int32 or int64.
  Value ArgMax(Value x, int axis, bool keep_dims = false, DType type = DType::kInt64);
  Value ArgMin(Value x, int axis, bool keep_dims = false, DType type = DType::kInt64);
  /// The k largest of the last axis, falling, and their int32 indices.
  std::array<Value, 2> TopK(Value x, int64_t k);
  Value CumSum(Value x, int axis, bool exclusive = false, bool reverse = false);

  // ---- pools over x[N,H,W,C] ----
  /// Padding never wins. Dilation is composed of strided slices.
  Value MaxPool(Value x, const Window2D& window, const Bounds& bounds = {});
  Value AveragePool(Value x, const AveragePoolArgs& args);

  // ---- layout ----
  /// One dimension may be -1. Same elements in the same order.
  Value Reshape(Value x, std::vector<int64_t> dims);
  Value Reshape(Value x, const Shape& shape);
  /// Output axis i is input axis perm[i].
  Value Transpose(Value x, const std::vector<int64_t>& perm);
  Value Concat(const std::vector<Value>& parts, int axis,
               const std::optional<QuantizedType>& out = {});
  std::vector<Value> Split(Value x, int axis, const std::vector<int64_t>& sizes);
  /// Elements begin, begin + stride, ... `size` of them an axis; strides may be negative.
  Value Slice(Value x, const std::vector<int64_t>& begin, const std::vector<int64_t>& size,
              const std::vector<int64_t>& stride);
  /// One axis, NumPy's begin:end:stride.
  Value SliceAxis(Value x, int axis, int64_t begin, int64_t end, int64_t stride = 1);
  /// With a computed begin, int32 or int64 [rank]; an index outside ends the run with an error.
  Value DynamicSlice(Value x, Value begin, const std::vector<int64_t>& size);
  /// `value` real; of quantized tensors it is rounded to the nearest code.
  Value Pad(Value x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
            double value = 0);
  /// kReflect leaves the border out, kSymmetric repeats it.
  Value MirrorPad(Value x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
                  fbs::PadMode mode);
  /// Repeats the border pixels. Composed of slices and concatenations.
  Value EdgePad(Value x, const std::vector<int64_t>& before, const std::vector<int64_t>& after);
  Value Tile(Value x, const std::vector<int64_t>& multiples);
  Value BroadcastTo(Value x, const std::vector<int64_t>& dims);
  Value Reverse(Value x, const std::vector<int64_t>& axes);
  /// x[N,H,W,C] -> [N, H/b, W/b, b*b*C] and back; offsets in the block are the outer channels.
  Value SpaceToDepth(Value x, int64_t block);
  Value DepthToSpace(Value x, int64_t block);
  Value ResizeBilinear(Value x, int64_t out_h, int64_t out_w, ResizeRule rule);
  /// Source pixel: floor of the position; of kHalfPixel floor((i + 0.5) * scale); of kAlignCorners
  /// rounded, halves up.
  Value ResizeNearest(Value x, int64_t out_h, int64_t out_w, ResizeRule rule);

  // ---- by index ----
  /// indices int32 or int64; those outside end the run with an error.
  Value Gather(Value x, Value indices, int axis, int batch_dims = 0);
  Value GatherNd(Value x, Value indices);
  /// on where index == position along the new axis, else off; scalars of one type.
  Value OneHot(Value indices, int64_t depth, Value on, Value off, int axis = -1);

  // ---- recurrent layers over x[T,N,inputs], unrolled: operators grow with T ----
  RecurrentResult Lstm(Value x, const RecurrentArgs& args);
  RecurrentResult Gru(Value x, const RecurrentArgs& args);

  // ---- quantization ----
  Value Quantize(Value x, const QuantizedType& type);
  Value Dequantize(Value x);

  // ---- the end ----
  /// The bytes of the .whit file. Once.
  Result<std::vector<std::byte>> FinishBytes();
  /// The same, written to a file at once or not at all.
  Status Finish(const std::string& path);

 private:
  // Runs `make`, which returns the index of the result, unless there is an error already or an
  // operand failed.
  template <typename Fn>
  Value Try(std::initializer_list<Value> operands, Fn make) {
    return Try(std::span<const Value>(operands.begin(), operands.size()), make);
  }
  template <typename Fn>
  Value Try(std::span<const Value> operands, Fn make) {
    if (!Ready(operands)) return Value(Value::kFailed);
    const Growth growth(state_);
    Result<int> made = make();
    const Status status = made.ok() ? growth.Charge(state_, {}) : Status(made.status());
    return status.ok() ? Value(*made) : Fail(status);
  }
  bool Ready(std::span<const Value> operands) const;

  Scope& scope() { return *scope_; }
  GraphTensor& tensor(Value v) { return scope_->tensor(v.index_); }
  // A tensor like `like`, or float32, of the shape.
  Result<int> NewLike(Value like, const std::vector<int64_t>& dims);
  Result<int> NewFloat(const Shape& shape);
  // A tensor of that type, or like `like` where it is not quantized.
  Result<GraphTensor> ResultType(Value like, const std::optional<QuantizedType>& out);
  Result<int> NewOf(const GraphTensor& like, const std::vector<int64_t>& dims);
  Status ExpectFloat(Value x, const char* what) const;
  Status ExpectRank(Value x, int rank, const char* what) const;
  Status ExpectPresent(std::initializer_list<Value> values) const;
  Result<std::vector<uint32_t>> Axes(const std::vector<int64_t>& axes, int rank) const;
  Value Arg(OpType op, Value x, int axis, bool keep_dims, DType type);
  Result<int> EmitConv(OpType op, Value x, PendingProduct product, std::array<int64_t, 2> kernel,
                       const ConvArgs& args);
  template <typename Options>
  Result<int> EmitBiased(OpType op, Options options, PendingProduct product, int x, int out,
                         const Bounds& bounds);
  Result<int> EmitUnary(OpType op, Value x, const fbs::UnaryOptionsT& options,
                        const std::optional<QuantizedType>& out);
  Value EmitBinary(OpType op, Value a, Value b, const std::optional<QuantizedType>& out);
  // What two operands of one type broadcast to.
  Result<Shape> ShapeOfTwo(Value a, Value b);
  // Patterns: a value as factor * x, factor * (1 + erf(x / sqrt 2)), or the product of the two.
  struct GeluTerm {
    enum Kind : uint8_t { kLinear, kErf, kOnePlusErf, kProduct } kind = kLinear;
    int x = -1;
    double factor = 1;
  };
  // The one operator that does what op(a, b) would complete, or absent.
  Value Pattern(OpType op, Value a, Value b);
  Value EasyPower(Value x, Value exponent);
  std::optional<double> ScalarBeside(Value scalar, Value other) const;
  GeluTerm TermOf(Value v) const;
  std::optional<GeluTerm> TermOfBinary(OpType op, Value a, Value b) const;
  void NoteErf(Value x, Value y);
  Value ClampStored(Value x, const Bounds& bounds);
  Value LastAxisSoftmax(Value x, bool log, float beta, const std::optional<QuantizedType>& out);
  Value AnyAxisSoftmax(Value x, int axis, bool log, float beta,
                       const std::optional<QuantizedType>& out);
  Result<int> EmitPool(OpType op, Value x, const Window2D& window, const Bounds& bounds);
  Value DilatedMaxPool(Value x, const Window2D& window, const Bounds& bounds);
  Result<int> EmitConcat(const std::vector<Value>& parts, int axis, const GraphTensor& like);
  template <typename Step>
  RecurrentResult Unroll(Value x, const RecurrentArgs& args, int64_t gates, Step step);
  Value MoveBlocks(Value x, int64_t block, bool to_depth);
  Value EmitResize(OpType op, Value x, int64_t out_h, int64_t out_w, ResizeRule rule);
  Value EmitPad(Value x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
                fbs::PadMode mode, double value);
  Result<int> SpreadKernel(int weights, std::array<int64_t, 2> dilation);
  Value GroupedTransposeConv(Value x, Value weights, Value bias, TransposeConvArgs args);
  // The value with axes in another order so that `axis` is the last; `perm` undoes itself.
  std::vector<int64_t> SwapToLast(Value x, int axis) const;

  ImportState state_;
  std::optional<Scope> scope_;
  Refusals refusals_;
  Status error_;
  uint32_t nodes_ = 0;  // At calls
  std::map<int, GeluTerm> terms_;
};

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_GRAPH_BUILDER_H_
