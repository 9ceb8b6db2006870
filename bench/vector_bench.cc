// What is no product, per tier: element by element, tables, conversions, pools, rows.
//   vector_bench --benchmark_filter='add.*avx2'
#include "bench/op_bench.h"

namespace whit::bench {
namespace {

using Op = std::unique_ptr<OpBench>;

template <typename OptionsT>
void Register(const std::string& name, OpType type, const OptionsT& options,
              const std::vector<std::pair<DType, Shape>>& in, std::pair<DType, Shape> out) {
  ForEachTier(name, [=] {
    auto op = std::make_unique<OpBench>(type, options);
    for (const auto& [dtype, shape] : in) op->Input(dtype, shape, Data::kNoise);
    op->Output(out.first, out.second);
    return op;
  });
}

constexpr DType kI8 = DType::kInt8, kF32 = DType::kFloat32;

void RegisterElements() {
  const Shape picture{1, 96, 96, 12}, rgb{1, 192, 192, 3}, channel{12};  // 110592 elements
  for (const auto& [name, type] :
       {std::pair{"add", OpType::kAdd}, {"mul", OpType::kMul}, {"div", OpType::kDiv}}) {
    const fbs::BinaryOptionsT o;
    Register(std::string(name) + " int8", type, o, {{kI8, picture}, {kI8, picture}},
             {kI8, picture});
    Register(std::string(name) + " float", type, o, {{kF32, picture}, {kF32, picture}},
             {kF32, picture});
  }
  Register("sub int8 a row for all", OpType::kSub, fbs::BinaryOptionsT{},
           {{kI8, rgb}, {kI8, {1, 1, 1, 3}}}, {kI8, rgb});
  Register("mul int8 one for all", OpType::kMul, fbs::BinaryOptionsT{}, {{kI8, rgb}, {kI8, {}}},
           {kI8, rgb});
  Register("sub int8 [2304,1] [1,17]", OpType::kSub, fbs::BinaryOptionsT{},
           {{kI8, {2304, 1}}, {kI8, {1, 17}}}, {kI8, {2304, 17}});
  Register("prelu int8", OpType::kPRelu, fbs::PReluOptionsT{}, {{kI8, picture}, {kI8, channel}},
           {kI8, picture});
  ForEachTier("table", [picture] {
    fbs::TableOptionsT o;
    o.table = 0;
    auto op = std::make_unique<OpBench>(OpType::kTable, o);
    op->Input(kI8, picture, Data::kNoise).Output(kI8, picture);
    op->Blob(std::vector<int8_t>(256, 3));
    return op;
  });
  Register("quantize", OpType::kQuantize, fbs::QuantizeOptionsT{}, {{kF32, picture}},
           {kI8, picture});
  Register("dequantize", OpType::kDequantize, fbs::QuantizeOptionsT{}, {{kI8, picture}},
           {kF32, picture});
  for (const auto& [name, type] : {std::pair{"relu", OpType::kRelu},
                                   {"logistic", OpType::kLogistic},
                                   {"tanh", OpType::kTanh},
                                   {"hardswish", OpType::kHardSwish},
                                   {"sqrt", OpType::kSqrt}}) {
    Register(std::string(name) + " float", type, fbs::UnaryOptionsT{}, {{kF32, picture}},
             {kF32, picture});
  }
}

void RegisterWindows() {
  for (const auto& [name, type] :
       {std::pair{"average", OpType::kAveragePool2D}, {"max", OpType::kMaxPool2D}}) {
    for (const DType t : {kI8, kF32}) {
      const std::string of = std::string(" ") + (t == kI8 ? "int8 " : "float ");
      fbs::PoolOptionsT whole, two;
      whole.filter_h = whole.filter_w = 7;
      Register(name + of + "7x7x1280 whole", type, whole, {{t, {1, 7, 7, 1280}}},
               {t, {1, 1, 1, 1280}});
      two.filter_h = two.filter_w = two.stride_h = two.stride_w = 2;
      Register(name + of + "2x2 of 56x56x64", type, two, {{t, {1, 56, 56, 64}}},
               {t, {1, 28, 28, 64}});
      Register(name + of + "2x2 of 96x96x8", type, two, {{t, {1, 96, 96, 8}}}, {t, {1, 48, 48, 8}});
    }
  }
  fbs::ReduceOptionsT axes;
  axes.axes = {1};
  Register("mean float 256x16", OpType::kMean, axes, {{kF32, {1, 256, 16}}}, {kF32, {1, 16}});
  fbs::ResizeOptionsT half;
  half.half_pixel_centers = true;
  for (const DType t : {kI8, kF32}) {
    const std::string of = t == kI8 ? "int8 " : "float ";
    Register("bilinear " + of + "24x24x24 to 48", OpType::kResizeBilinear, half,
             {{t, {1, 24, 24, 24}}}, {t, {1, 48, 48, 24}});
    Register("bilinear " + of + "33x33x21 to 100", OpType::kResizeBilinear, half,
             {{t, {1, 33, 33, 21}}}, {t, {1, 100, 100, 21}});
  }
}

void RegisterRows() {
  for (const Shape& s : {Shape{1, 1001}, Shape{4420, 2}, Shape{1, 10}}) {
    Register("softmax float " + s.ToString(), OpType::kSoftmax, fbs::SoftmaxOptionsT{}, {{kF32, s}},
             {kF32, s});
  }
  fbs::ReduceOptionsT last;
  last.axes = {1};
  fbs::TransposeOptionsT nchw;
  nchw.perm = {0, 3, 1, 2};
  for (const DType t : {kI8, kF32}) {
    const std::string of = t == kI8 ? " int8" : " float";
    Register("mean of rows 128x1024" + of, OpType::kMean, last, {{t, {128, 1024}}}, {t, {128}});
    Register("l2 norm 8x512" + of, OpType::kL2Normalization, fbs::L2NormOptionsT{}, {{t, {8, 512}}},
             {t, {8, 512}});
    Register("transpose 56x56x64 to channels first" + of, OpType::kTranspose, nchw,
             {{t, {1, 56, 56, 64}}}, {t, {1, 64, 56, 56}});
  }
  fbs::AxisOptionsT axis;
  axis.axis = 1;
  Register("argmax int8 [1,2304,17]", OpType::kArgMax, axis, {{kI8, {1, 2304, 17}}},
           {DType::kInt32, {1, 17}});
  Register("argmax int8 [1,1001]", OpType::kArgMax, axis, {{kI8, {1, 1001}}}, {DType::kInt32, {1}});
}

}  // namespace
}  // namespace whit::bench

int main(int argc, char** argv) {
  whit::bench::RegisterElements();
  whit::bench::RegisterWindows();
  whit::bench::RegisterRows();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
