// Any bytes as a program of GraphBuilder calls: values are named by number, sizes are small or
// anything. What comes out is opened and run. The ONNX importer and the recipes make such calls
// with numbers from files.
#include <algorithm>
#include <limits>
#include <vector>

#include "tests/fuzz/run_model.h"
#include "tools/import/graph_builder.h"

namespace whit::tools {
namespace {

class Program {
 public:
  explicit Program(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  void Run() {
    values_.push_back(g_.Input("x", DType::kFloat32, Dims(Small(5))));
    values_.push_back(g_.Input("i", DType::kInt32, Dims(Small(3))));
    values_.push_back({});  // an operand that is absent
    for (int calls = 0; !bytes_.empty() && calls < 40; ++calls) values_.push_back(Call());
    g_.Output("y", values_.back());
    auto file = g_.FinishBytes();
    MustExplain(file.status());
    if (file.ok()) OpenAndRun(*file);
  }

 private:
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t b = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return b;
  }
  int64_t Small(int64_t most) { return Byte() % (most + 1); }
  // Mostly what graphs have, now and then what none has.
  int64_t Number() {
    const uint8_t b = Byte();
    if (b < 200) return b % 10 - 2;
    constexpr int64_t kOdd[] = {std::numeric_limits<int64_t>::min(),
                                std::numeric_limits<int64_t>::max(),
                                int64_t{1} << 31,
                                int64_t{1} << 24,
                                (int64_t{1} << 32) + 1,
                                1000};
    return kOdd[b % std::size(kOdd)];
  }
  std::vector<int64_t> Numbers(size_t n) {
    std::vector<int64_t> list(n);
    for (int64_t& v : list) v = Number();
    return list;
  }
  // As many as the value has axes, or not.
  std::vector<int64_t> ForAxes(Value x) {
    return Numbers(Byte() < 250 ? static_cast<size_t>(g_.shape(x).rank()) : 3);
  }
  std::array<int64_t, 2> Pair() { return {Number(), Number()}; }
  Shape Dims(int64_t rank) {
    Shape shape = Shape::OfRank(static_cast<int>(rank));
    for (int i = 0; i < shape.rank(); ++i) shape[i] = Small(6);
    return shape;
  }
  Value Pick() { return values_[Byte() % values_.size()]; }
  int Axis() { return static_cast<int>(Small(9)) - 4; }
  Bounds Clamped() {
    return Byte() % 2 == 0 ? Bounds()
                           : Bounds{static_cast<float>(Number()), static_cast<float>(Number())};
  }
  std::optional<QuantizedType> Type() {
    constexpr DType kTypes[] = {DType::kInt8, DType::kUint8, DType::kInt16, DType::kFloat32};
    if (Byte() % 2 == 0) return std::nullopt;
    return QuantizedType{kTypes[Byte() % 4], 0.25f, static_cast<int32_t>(Small(255)) - 128};
  }
  Window2D Window() {
    return {
        .kernel = Pair(), .stride = Pair(), .dilation = Pair(), .before = Pair(), .after = Pair()};
  }

  Value Constant() {
    const Shape shape = Dims(Small(5));
    const auto n = static_cast<size_t>(shape.elements());
    if (Byte() % 4 == 0) {
      std::vector<int32_t> list(n);
      for (int32_t& v : list) v = static_cast<int32_t>(Number());
      return g_.Int32s(shape, list);
    }
    if (Byte() % 4 == 0) {
      Bytes codes(n);
      for (std::byte& b : codes) b = static_cast<std::byte>(Byte());
      return g_.Constant(DType::kInt8, shape, codes,
                         {.scale = {0.5f}, .zero_point = {static_cast<int32_t>(Small(3))}});
    }
    std::vector<float> list(n);
    for (float& v : list) v = static_cast<float>(Number());
    return g_.Floats(shape, list);
  }

  Value Call() {
    g_.At("node");
    const Value x = Pick(), y = Pick();
    const auto op = [&](OpType first, OpType last) {
      const auto from = static_cast<int>(first), count = static_cast<int>(last) - from + 1;
      return static_cast<OpType>(from + Byte() % count);
    };
    switch (Byte() % 40) {
      case 0:
      case 1:
      case 2:
        return Constant();
      case 3:
        return g_.Binary(op(OpType::kAdd, OpType::kPow), x, y, Type());
      case 4:
        return g_.Compare(op(OpType::kEqual, OpType::kLogicalOr), x, y);
      case 5:
        return g_.Unary(op(OpType::kAbs, OpType::kLogicalNot), x, 0.1f, Type());
      case 6:
        return g_.Clamp(x, Clamped());
      case 7:
        return g_.Select(Pick(), x, y);
      case 8:
        return g_.PRelu(x, y);
      case 9:
        return g_.Erf(x);
      case 10:
        return g_.Cast(x, static_cast<DType>(Byte() % kDTypeCount));
      case 11:
        return g_.Softmax(x, Axis(), 1, Type());
      case 12:
        return g_.LayerNorm(x, Axis(), y, Pick(), 1e-5f);
      case 13:
        return g_.Reduce(op(OpType::kMean, OpType::kReduceAll), x, Numbers(Byte() % 3u),
                         Byte() % 2 != 0);
      case 14:
        return g_.ArgMax(x, Axis(), Byte() % 2 != 0);
      case 15:
        return g_.TopK(x, Number())[Byte() % 2u];
      case 16:
        return g_.CumSum(x, Axis(), Byte() % 2 != 0, Byte() % 2 != 0);
      case 17:
        return g_.MaxPool(x, Window(), Clamped());
      case 18:
        return g_.AveragePool(
            x, {.window = Window(), .count_padding = Byte() % 2 != 0, .overhang = Pair()});
      case 19:
      case 20:
        return g_.Conv2D(x, y, Pick(),
                         {.window = Window(),
                          .groups = Number(),
                          .order = static_cast<WeightOrder>(Byte() % 5),
                          .bounds = Clamped(),
                          .out = Type()});
      case 21:
        return g_.DepthwiseConv2D(
            x, y, Pick(),
            {.window = Window(), .order = static_cast<WeightOrder>(Byte() % 5), .out = Type()});
      case 22:
        return g_.TransposeConv2D(x, y, Pick(),
                                  {.window = Window(),
                                   .extra = Pair(),
                                   .groups = Number(),
                                   .order = static_cast<WeightOrder>(Byte() % 5),
                                   .out = Type()});
      case 23:
        return g_.Linear(x, y, Pick(),
                         {.in_out = Byte() % 2 != 0, .bounds = Clamped(), .out = Type()});
      case 24:
        return g_.MatMul(x, y, Byte() % 2 != 0, Byte() % 2 != 0, Type());
      case 25:
        return g_.BatchNorm(x, {.gamma = y, .beta = Pick(), .mean = Pick(), .variance = Pick()});
      case 26:
        return g_.Reshape(x, Numbers(Byte() % 5u));
      case 27:
        return g_.Transpose(x, ForAxes(x));
      case 28:
        return g_.Concat({x, y, Pick()}, Axis(), Type());
      case 29: {
        const auto parts = g_.Split(x, Axis(), Numbers(1 + Byte() % 3u));
        return parts[Byte() % parts.size()];
      }
      case 30:
        return g_.Slice(x, ForAxes(x), ForAxes(x), ForAxes(x));
      case 31:
        return g_.SliceAxis(x, Axis(), Number(), Number(), Number());
      case 32:
        return g_.DynamicSlice(x, y, ForAxes(x));
      case 33:
        return Byte() % 2 == 0 ? g_.Pad(x, ForAxes(x), ForAxes(x), static_cast<double>(Number()))
                               : g_.EdgePad(x, ForAxes(x), ForAxes(x));
      case 34:
        return g_.MirrorPad(x, ForAxes(x), ForAxes(x), static_cast<fbs::PadMode>(Byte() % 3));
      case 35:
        return Byte() % 2 == 0 ? g_.Tile(x, ForAxes(x)) : g_.BroadcastTo(x, Numbers(Byte() % 5u));
      case 36:
        return Byte() % 2 == 0 ? g_.SpaceToDepth(x, Number()) : g_.DepthToSpace(x, Number());
      case 37:
        return Byte() % 2 == 0
                   ? g_.ResizeBilinear(x, Number(), Number(), static_cast<ResizeRule>(Byte() % 3))
                   : g_.ResizeNearest(x, Number(), Number(), static_cast<ResizeRule>(Byte() % 3));
      case 38:
        return Byte() % 2 == 0 ? g_.Gather(x, y, Axis(), static_cast<int>(Small(2)))
                               : g_.GatherNd(x, y);
      default:
        return Byte() % 2 == 0 ? g_.Dequantize(x)
                               : g_.Quantize(x, Type().value_or(QuantizedType()));
    }
  }

  std::span<const uint8_t> bytes_;
  GraphBuilder g_{ImportOptions(), 1 << 20};
  std::vector<Value> values_;
};

}  // namespace
}  // namespace whit::tools

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  whit::tools::Program({data, size}).Run();
  return 0;
}
