// The vector family against the references, at sizes around every register width: OpTester compares
// the alternatives on all tiers in guarded memory, and these cases see to it that they accept.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/tables.h"
#include "tests/kernels/op_tester.h"
#include "tests/kernels/random.h"
#include "tests/kernels/test_tiers.h"

namespace whit {
namespace {

// Runs the test; the tiers' kernels must have taken part.
void ExpectVector(OpTester& t) {
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  const auto& run = t.alternatives_run();
  if (RunnableTiers().empty()) GTEST_SKIP() << "no SIMD tier";
  EXPECT_NE(std::find(run.begin(), run.end(), "vector"), run.end()) << "no vector kernel ran";
}

const std::vector<int64_t> kLengths = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16,  17,  23,  31,
                                       32, 33, 47, 63, 64, 65, 71, 127, 128, 129, 257, 1000};

TestTensor Bytes(Shape shape, uint64_t seed, float scale = 0.05f, int32_t zero_point = -7) {
  auto values = RandomValues<int8_t>(shape.elements(), -128, 127, seed);
  for (size_t i = 0; i < values.size(); i += 5) values[i] = i % 2 == 0 ? -128 : 127;
  return Quantized<int8_t>(shape, values, scale, zero_point);
}
TestTensor Words(Shape shape, uint64_t seed, float scale = 2e-4f, int32_t zero_point = 0) {
  auto values = RandomValues<int16_t>(shape.elements(), -32768, 32767, seed);
  for (size_t i = 0; i < values.size(); i += 5) values[i] = i % 2 == 0 ? -32768 : 32767;
  return Quantized<int16_t>(shape, values, scale, zero_point);
}
TestTensor Floats(Shape shape, uint64_t seed, double range = 9) {
  auto values = RandomValues<float>(shape.elements(), -range, range, seed);
  for (size_t i = 3; i < values.size(); i += 11) values[i] = -0.0f;
  return Plain<float>(shape, values);
}
// NEON of armv7 takes denormals for 0 (kernels/simd/README.md).
#if defined(__arm__)
constexpr float kTiny = 2e-38f;
#else
constexpr float kTiny = 1e-42f;
#endif
// With what IEEE has beside numbers, and where exp saturates.
const float kOdd[] = {kNan, kInf, -kInf, 0.0f, -0.0f, kTiny, 3e38f, -3e38f, 89.5f, -104.5f};
TestTensor OddFloats(Shape shape, uint64_t seed) {
  auto values = RandomValues<float>(shape.elements(), -100, 100, seed);
  for (size_t i = 0; i < values.size(); i += 3) values[i] = kOdd[i / 3 % std::size(kOdd)];
  return Plain<float>(shape, values);
}

const OpType kBinary[] = {OpType::kAdd,
                          OpType::kSub,
                          OpType::kMul,
                          OpType::kDiv,
                          OpType::kMaximum,
                          OpType::kMinimum,
                          OpType::kSquaredDifference};

void CheckBinary(OpType type, const Shape& a, const Shape& b, const Shape& out) {
  SCOPED_TRACE(std::string(RowOf(type).name) + " of " + a.ToString() + " and " + b.ToString());
  fbs::BinaryOptionsT options;
  OpTester bytes(type, options);
  bytes.Input(Bytes(a, 1)).Input(Bytes(b, 2, 0.03f, 21)).Output(DType::kInt8, out, 0.07f, -20);
  ExpectVector(bytes);
  OpTester words(type, options);
  words.Input(Words(a, 1)).Input(Words(b, 2, 3e-4f, 17)).Output(DType::kInt16, out, 4e-4f, -5);
  ExpectVector(words);
  options.lo = -1.5f, options.hi = 6;
  OpTester floats(type, options);
  floats.Input(OddFloats(a, 3)).Input(OddFloats(b, 4)).Output(DType::kFloat32, out);
  ExpectVector(floats);
}

TEST(Vector, TwoOperandsOfEveryLength) {
  for (const OpType type : kBinary) {
    for (const int64_t n : kLengths) CheckBinary(type, {n}, {n}, {n});
  }
}

TEST(Vector, TwoOperandsThatBroadcast) {
  for (const OpType type : kBinary) {
    CheckBinary(type, {70}, {}, {70});
    CheckBinary(type, {}, {70}, {70});
    CheckBinary(type, {}, {}, {});
    CheckBinary(type, {3, 0}, {1, 0}, {3, 0});  // no elements
    CheckBinary(type, {3, 1}, {1, 0}, {3, 0});
    CheckBinary(type, {0, 5}, {5}, {0, 5});
    for (const int64_t n : {2, 3, 17, 24, 63, 64, 65, 255, 256, 300}) {
      CheckBinary(type, {41, n}, {n}, {41, n});  // a row for all
      CheckBinary(type, {1, n}, {19, n}, {19, n});
      CheckBinary(type, {19, 1}, {19, n}, {19, n});  // a value a row
      CheckBinary(type, {19, 1}, {1, n}, {19, n});   // both
      CheckBinary(type, {1, n}, {19, 1}, {19, n});
      CheckBinary(type, {3, 5, n}, {3, 1, n}, {3, 5, n});
    }
    CheckBinary(type, {700, 3}, {3}, {700, 3});  // more than one stretch
    CheckBinary(type, {700, 1}, {1, 5}, {700, 5});
  }
}

TEST(Vector, TwoBytesWithExtremeScales) {
  for (const OpType type : kBinary) {
    for (const float scale_out : {1e-6f, 1e30f}) {
      OpTester t(type, fbs::BinaryOptionsT{});
      t.Input(Bytes({130}, 1)).Input(Bytes({130}, 2)).Output(DType::kInt8, {130}, scale_out, 127);
      ExpectVector(t);
    }
    fbs::BinaryOptionsT clamped;
    clamped.lo = -3, clamped.hi = 40;
    OpTester t(type, clamped);
    t.Input(Bytes({130}, 1)).Input(Bytes({130}, 2)).Output(DType::kInt8, {130}, 0.07f, -128);
    ExpectVector(t);
  }
}

TEST(Vector, PRelu) {
  for (const int64_t n : kLengths) {
    OpTester bytes(OpType::kPRelu, fbs::PReluOptionsT{});
    bytes.Input(Bytes({5, n}, 1)).Input(Bytes({n}, 2, 0.02f, 30));
    bytes.Output(DType::kInt8, {5, n}, 0.06f, 3);
    ExpectVector(bytes);
    OpTester words(OpType::kPRelu, fbs::PReluOptionsT{});
    words.Input(Words({5, n}, 1)).Input(Words({n}, 2)).Output(DType::kInt16, {5, n}, 1e-3f, 0);
    ExpectVector(words);
    OpTester floats(OpType::kPRelu, fbs::PReluOptionsT{});
    floats.Input(OddFloats({5, n}, 1)).Input(Floats({n}, 2)).Output(DType::kFloat32, {5, n});
    ExpectVector(floats);
  }
}

TEST(Vector, FunctionsOfFloats) {
  for (const OpType type :
       {OpType::kRelu, OpType::kRelu6, OpType::kReluN1To1, OpType::kLeakyRelu, OpType::kHardSwish,
        OpType::kLogistic, OpType::kTanh, OpType::kExp, OpType::kAbs, OpType::kNeg, OpType::kSquare,
        OpType::kSqrt, OpType::kRsqrt, OpType::kGelu, OpType::kElu, OpType::kFloor, OpType::kCeil,
        OpType::kRound}) {
    SCOPED_TRACE(RowOf(type).name);
    fbs::UnaryOptionsT options;
    options.alpha = 0.3f, options.approximate = true;
    for (const int64_t n : kLengths) {
      OpTester t(type, options);
      t.Input(Floats({n}, 1)).Output(DType::kFloat32, {n});
      if (type != OpType::kElu) t.FloatTolerance(0);  // the operations are the same
      ExpectVector(t);
    }
    for (const float x : kOdd) {  // one at a time: the sign of a NaN may depend on the split
      OpTester t(type, options);
      t.Input(Plain<float>({1}, {x})).Output(DType::kFloat32, {1});
      if (type != OpType::kElu) t.FloatTolerance(0);
      ExpectVector(t);
    }
  }
}

TEST(Vector, Tables) {
  std::vector<int8_t> table(256);
  for (size_t i = 0; i < 256; ++i) table[i] = static_cast<int8_t>(i * 167 + 13);
  for (const int64_t n : kLengths) {
    fbs::TableOptionsT options;
    options.table = 0;
    OpTester t(OpType::kTable, options);
    t.Blob(table);
    t.Input(Bytes({n}, 1)).Output(DType::kInt8, {n}, 0.02f, 5);
    ExpectVector(t);
    OpTester requantize(OpType::kQuantize, fbs::QuantizeOptionsT{});
    requantize.Input(Bytes({n}, 1)).Output(DType::kInt8, {n}, 0.02f, 5);
    ExpectVector(requantize);
  }
}

TEST(Vector, TablesOfWords) {
  std::vector<int16_t> points = RandomValues<int16_t>(513, -32768, 32767, 7);
  points[511] = -32768, points[512] = 32767, points[0] = 32767, points[1] = -32768;
  for (const int64_t n : kLengths) {
    fbs::TableOptionsT options;
    options.table = 0;
    OpTester t(OpType::kTable16, options);
    t.Blob(points);
    t.Input(Words({n}, 1)).Output(DType::kInt16, {n}, 1e-4f, 0);
    const Status status = t.Run();  // SSE4.1 has no gather
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

// Near 0, where e^x - 1 cancels.
TEST(Vector, EluOfSmallNumbers) {
  fbs::UnaryOptionsT options;
  options.alpha = 1;
  for (const double range : {1.0, 0.41, 1e-3, 1e-7}) {
    OpTester t(OpType::kElu, options);
    t.Input(Floats({500}, 3, range)).Output(DType::kFloat32, {500}).FloatTolerance(3e-7f);
    ExpectVector(t);
  }
}

// How the tiers of this architecture store bytes: the type of plain bytes that they serve.
#if defined(__x86_64__)
using StoredByte = uint8_t;
#else
using StoredByte = int8_t;
#endif
constexpr int kLeast = std::numeric_limits<StoredByte>::min();

TEST(Vector, Conversions) {
  for (const int64_t n : kLengths) {
    fbs::QuantizeOptionsT options;
    options.hi = 100;
    OpTester quantize(OpType::kQuantize, options);
    quantize.Input(OddFloats({n}, 1)).Output(DType::kInt8, {n}, 0.7f, 5);
    ExpectVector(quantize);
    OpTester dequantize(OpType::kDequantize, fbs::QuantizeOptionsT{});
    dequantize.Input(Bytes({n}, 1)).Output(DType::kFloat32, {n});
    dequantize.FloatTolerance(0);
    ExpectVector(dequantize);
    OpTester quantize16(OpType::kQuantize, options);
    quantize16.Input(OddFloats({n}, 1)).Output(DType::kInt16, {n}, 3e-3f, 5);
    ExpectVector(quantize16);
    OpTester dequantize16(OpType::kDequantize, fbs::QuantizeOptionsT{});
    dequantize16.Input(Words({n}, 1, 2e-4f, 9)).Output(DType::kFloat32, {n}).FloatTolerance(0);
    ExpectVector(dequantize16);
    OpTester narrow(OpType::kQuantize, fbs::QuantizeOptionsT{});
    narrow.Input(Words({n}, 1)).Output(DType::kInt8, {n}, 0.03f, 11);
    ExpectVector(narrow);
    OpTester widen(OpType::kQuantize, fbs::QuantizeOptionsT{});
    widen.Input(Bytes({n}, 1)).Output(DType::kInt16, {n}, 3e-4f, 0);
    ExpectVector(widen);
    OpTester other(OpType::kQuantize, options);
    other.Input(Words({n}, 1)).Output(DType::kInt16, {n}, 3e-4f, 40);
    ExpectVector(other);
    OpTester cast(OpType::kCast, fbs::CastOptionsT{});
    cast.Input(Bytes({n}, 1)).Output(DType::kFloat32, {n}).FloatTolerance(0);
    ExpectVector(cast);
    OpTester plain(OpType::kCast, fbs::CastOptionsT{});
    plain.Input(Plain<StoredByte>({n}, RandomValues<StoredByte>(n, kLeast, kLeast + 255, 1)));
    plain.Output(DType::kFloat32, {n}).FloatTolerance(0);
    ExpectVector(plain);
  }
}

void CheckPool(OpType type, const Shape& x, const fbs::PoolOptionsT& o, float scale_out) {
  SCOPED_TRACE(std::string(RowOf(type).name) + " of " + x.ToString());
  const Shape out = {x[0], (x[1] + o.pad_top + o.pad_bottom - o.filter_h) / o.stride_h + 1,
                     (x[2] + o.pad_left + o.pad_right - o.filter_w) / o.stride_w + 1, x[3]};
  OpTester bytes(type, o);
  bytes.Input(Bytes(x, 1)).Output(DType::kInt8, out, scale_out, -7);
  ExpectVector(bytes);
  OpTester floats(type, o);
  floats.Input(type == OpType::kMaxPool2D ? OddFloats(x, 2) : Floats(x, 2));
  floats.Output(DType::kFloat32, out).FloatTolerance(0);
  ExpectVector(floats);
}

TEST(Vector, Pools) {
  for (const OpType type : {OpType::kAveragePool2D, OpType::kMaxPool2D}) {
    for (const int64_t channels : kLengths) {
      fbs::PoolOptionsT o;
      o.filter_h = 3, o.filter_w = 2, o.stride_w = 2, o.pad_top = 1, o.pad_right = 1;
      CheckPool(type, {2, 4, 5, channels}, o, 0.05f);  // one quantization
      CheckPool(type, {1, 4, 5, channels}, o, 0.033f);
      o.lo = -50, o.hi = 60;
      CheckPool(type, {1, 4, 5, channels}, o, 0.05f);
    }
    fbs::PoolOptionsT large;  // windows beyond 256 pixels
    large.filter_h = 20, large.filter_w = 33;
    CheckPool(type, {1, 20, 34, 70}, large, 0.05f);
  }
}

void CheckReduction(OpType type, const Shape& x, const std::vector<uint32_t>& axes,
                    const Shape& out) {
  SCOPED_TRACE(std::string(RowOf(type).name) + " of " + x.ToString() + " to " + out.ToString());
  fbs::ReduceOptionsT o;
  o.axes = axes;
  OpTester bytes(type, o);
  bytes.Input(Bytes(x, 1)).Output(DType::kInt8, out, 0.4f, 3);
  ExpectVector(bytes);
  const bool sum = type == OpType::kMean || type == OpType::kSum;
  OpTester floats(type, o);
  floats.Input(sum ? Floats(x, 1) : OddFloats(x, 1)).Output(DType::kFloat32, out);
  if (!sum) floats.FloatTolerance(0);
  ExpectVector(floats);
}

TEST(Vector, Reductions) {
  for (const OpType type : {OpType::kMean, OpType::kSum, OpType::kReduceMax, OpType::kReduceMin}) {
    for (const int64_t n : kLengths) {
      if (n == 1) continue;  // an axis of 1 is not looked at
      CheckReduction(type, {4, n}, {1}, {4});
      CheckReduction(type, {n}, {0}, {});
      for (const int64_t rows : {1, 2, 23, 70})
        CheckReduction(type, {2, rows, 5, n}, {1, 2}, {2, n});
      CheckReduction(type, {3, 7, 2, n}, {1}, {3, 2, n});
    }
    CheckReduction(type, {300, 5}, {1}, {300});  // more than one call
  }
}

TEST(Vector, L2Norms) {
  for (const int64_t n : kLengths) {
    fbs::L2NormOptionsT o;
    OpTester bytes(OpType::kL2Normalization, o);
    bytes.Input(Bytes({3, n}, 1)).Output(DType::kInt8, {3, n}, 1.0f / 128, 0);
    ExpectVector(bytes);
    OpTester floats(OpType::kL2Normalization, o);
    floats.Input(Floats({3, n}, 1)).Output(DType::kFloat32, {3, n});
    ExpectVector(floats);
  }
  OpTester zero(OpType::kL2Normalization, fbs::L2NormOptionsT{});
  zero.Input(Quantized<int8_t>({2, 40}, std::vector<int8_t>(80, 9), 0.1f, 9));
  zero.Output(DType::kInt8, {2, 40}, 1.0f / 128, 0);
  ExpectVector(zero);
  OpTester wide(OpType::kL2Normalization, fbs::L2NormOptionsT{});  // beyond 32 bits of squares
  wide.Input(Quantized<int8_t>({600000}, std::vector<int8_t>(600000, -128), 0.1f, 127));
  wide.Output(DType::kInt8, {600000}, 1e-5f, 0);
  ExpectVector(wide);
}

void CheckTranspose(const Shape& x, const std::vector<uint32_t>& perm) {
  SCOPED_TRACE(x.ToString());
  fbs::TransposeOptionsT o;
  o.perm = perm;
  Shape out = x;
  for (int a = 0; a < x.rank(); ++a) {
    out[a] = x[static_cast<int>(perm[static_cast<size_t>(a)])];
  }
  OpTester bytes(OpType::kTranspose, o);
  bytes.Input(Bytes(x, 1)).Output(DType::kInt8, out, 0.05f, -7);
  ExpectVector(bytes);
  OpTester words(OpType::kTranspose, o);
  words.Input(Words(x, 1)).Output(DType::kInt16, out, 2e-4f, 0);
  ExpectVector(words);
  OpTester floats(OpType::kTranspose, o);
  floats.Input(Floats(x, 1)).Output(DType::kFloat32, out);
  ExpectVector(floats);
}

TEST(Vector, Transposes) {
  for (const int64_t n : {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130}) {
    CheckTranspose({n, 19}, {1, 0});
    CheckTranspose({17, n}, {1, 0});
    CheckTranspose({2, 3, 5, n}, {0, 3, 1, 2});
    CheckTranspose({2, n, 3, 5}, {0, 2, 3, 1});
    CheckTranspose({3, 4, n, 2}, {3, 1, 2, 0});
    CheckTranspose({n, 3, 4, 5}, {2, 1, 3, 0});
  }
}

TEST(Vector, BilinearResizing) {
  struct Case {
    int64_t h, w, out_h, out_w;
    bool align, half;
  };
  for (const Case& c : {Case{3, 4, 6, 8, false, true}, Case{3, 4, 6, 8, false, false},
                        Case{5, 3, 7, 10, false, true}, Case{4, 4, 7, 7, true, false},
                        Case{6, 8, 3, 3, false, true}}) {
    for (const int64_t channels : kLengths) {
      SCOPED_TRACE(std::to_string(channels) + " channels to " + std::to_string(c.out_h));
      fbs::ResizeOptionsT o;
      o.align_corners = c.align, o.half_pixel_centers = c.half;
      const Shape in{2, c.h, c.w, channels}, out{2, c.out_h, c.out_w, channels};
      OpTester bytes(OpType::kResizeBilinear, o);
      bytes.Input(Bytes(in, 1)).Output(DType::kInt8, out, 0.05f, -7);
      ExpectVector(bytes);
      OpTester floats(OpType::kResizeBilinear, o);
      floats.Input(Floats(in, 1)).Output(DType::kFloat32, out).FloatTolerance(0);
      ExpectVector(floats);
    }
  }
}

TEST(Vector, SoftmaxOfFloats) {
  for (const int64_t depth : kLengths) {
    for (const int64_t rows : {1, 2, 15, 16, 17, 40}) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(depth));
      fbs::SoftmaxOptionsT o;
      o.beta = 0.7f;
      OpTester t(OpType::kSoftmax, o);
      t.Input(Floats({rows, depth}, 1, 30)).Output(DType::kFloat32, {rows, depth});
      ExpectVector(t);
    }
  }
}

TEST(Vector, SoftmaxOfBytes) {
  for (const int64_t depth : kLengths) {
    for (const float scale : {0.02f, 0.5f}) {
      SCOPED_TRACE("rows of " + std::to_string(depth));
      fbs::SoftmaxOptionsT o;
      o.table = 0;
      for (const float scale_out : {1.0f / 256, 0.01f}) {
        OpTester t(OpType::kSoftmax, o);
        t.Blob(MakeSoftmaxTable8(1, scale));
        t.Input(Bytes({3, depth}, 1, scale)).Output(DType::kInt8, {3, depth}, scale_out, -128);
        ExpectVector(t);
        OpTester below(OpType::kSoftmax, o);  // the largest value is not 127
        below.Blob(MakeSoftmaxTable8(1, scale));
        const auto values = RandomValues<int8_t>(depth, -90, -3, 5);
        below.Input(Quantized<int8_t>({depth}, values, scale, 0));
        below.Output(DType::kInt8, {depth}, scale_out, -100);
        ExpectVector(below);
      }
    }
  }
}

TEST(Vector, PlacesOfExtremes) {
  for (const OpType type : {OpType::kArgMax, OpType::kArgMin}) {
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(std::string(RowOf(type).name) + " " + std::to_string(n));
      fbs::AxisOptionsT last;
      last.axis = 1;
      OpTester row(type, last);
      row.Input(Bytes({3, n}, 1)).Output(DType::kInt32, {3});
      ExpectVector(row);
      OpTester columns(type, last);
      columns.Input(Bytes({2, 19, n}, 2)).Output(DType::kInt64, {2, n});
      ExpectVector(columns);
    }
    // One extreme, at every place of a row.
    for (size_t i = 0; i < 200; i += 9) {
      std::vector<int8_t> values(200, 5);
      values[i] = type == OpType::kArgMax ? 6 : 4;
      fbs::AxisOptionsT axis;
      OpTester t(type, axis);
      t.Input(Quantized<int8_t>({200}, values, 0.1f, 0)).Output(DType::kInt32, {});
      ExpectVector(t);
      EXPECT_EQ(t.Out<int32_t>(0)[0], static_cast<int32_t>(i));
    }
  }
}

}  // namespace
}  // namespace whit
