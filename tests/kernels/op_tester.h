// Runs one operator as the runtime would, without a file or a graph: prepare, then run over splits
// of the task range.
//
//   OpTester t(OpType::kAdd, fbs::BinaryOptionsT{});
//   t.Input(Quantized<int8_t>({1, 4}, {1, 2, 3, 4}, 0.5f, -3));
//   t.Input(Plain<float>({4}, {...}));
//   t.Output(DType::kInt8, {1, 4}, 0.25f, 7);
//   ASSERT_TRUE(t.Run().ok());
//   EXPECT_EQ(t.Out<int8_t>(0), ...);
//
// Run() checks by itself that the following give the same bytes: one range; every kind of split,
// ranges in reverse order, each with scratch of its own; output over input where the operator
// allows it; and, where 8-bit quantized tensors take part, the storage shifted to uint8 (act_bias
// 128), whose outputs are shifted back. Buffers have their exact size, so AddressSanitizer sees an
// access past an end.
//
// Then every alternative of ours that accepts the node runs on every tier this CPU has, in memory
// that ends at unreadable pages: integers must equal the reference in every byte, floats within
// FloatTolerance, and no byte may depend on the split. With self-check it runs once more: the same
// bytes, and its sums must fit.
#ifndef WHIT_TESTS_KERNELS_OP_TESTER_H_
#define WHIT_TESTS_KERNELS_OP_TESTER_H_

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/op.h"
#include "schema/model_generated.h"

namespace whit {

/// The DType stored as T. bool is DType::kBool; float16 has no C++ type, use Raw().
template <typename T>
constexpr DType DTypeOf() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, int8_t>) return DType::kInt8;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kUint8;
  if constexpr (std::is_same_v<T, int16_t>) return DType::kInt16;
  if constexpr (std::is_same_v<T, int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::kInt64;
  return DType::kBool;
}

/// A tensor that owns its bytes.
struct TestTensor {
  DType type = DType::kFloat32;
  Shape shape;
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int axis = -1;
  std::vector<uint8_t> bytes;
  bool constant = false;  // prepare sees its data
  bool present = true;
  bool state = false;  // a variable that the kernel reads and writes

  bool shiftable() const { return type == DType::kInt8 && !scale.empty(); }
  TestTensor Constant() && {
    constant = true;
    return std::move(*this);
  }
};

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  size_t at = 0;
  for (const T v : values) {  // by value: std::vector<bool> has no addressable elements
    std::memcpy(bytes.data() + at, &v, sizeof(T));
    at += sizeof(T);
  }
  return bytes;
}

template <typename T>
TestTensor Plain(Shape shape, const std::vector<T>& values) {
  return TestTensor{.type = DTypeOf<T>(), .shape = shape, .bytes = BytesOf(values)};
}

template <typename T>
TestTensor Quantized(Shape shape, const std::vector<T>& values, float scale, int32_t zero_point) {
  TestTensor t = Plain<T>(shape, values);
  t.scale = {scale};
  t.zero_point = {zero_point};
  return t;
}

inline TestTensor Raw(DType type, Shape shape, std::vector<uint8_t> bytes) {
  return TestTensor{.type = type, .shape = shape, .bytes = std::move(bytes)};
}

class OpTester {
 public:
  /// `options` is the object-API struct of `type`'s member in fbs::Options, e.g.
  /// fbs::BinaryOptionsT for kAdd.
  template <typename OptionsT>
  OpTester(OpType type, OptionsT options) : type_(type) {
    options_.type = static_cast<fbs::Options>(type);
    options_.value = new OptionsT(std::move(options));  // freed by the union
  }

  OpTester& Input(TestTensor t);
  /// An input that is a variable (recurrent states): every run begins with the bytes of `t`.
  OpTester& State(TestTensor t);
  OpTester& Absent();  // an optional input that is not there
  OpTester& Output(DType type, Shape shape);
  OpTester& Output(DType type, Shape shape, float scale, int32_t zero_point);
  OpTester& Variable(TestTensor t);  // its bytes are the initial value of every run

  /// Returns the index that options name. Prepare is repeated, so weights and blobs can be added
  /// before Run only.
  int Weights(PackedWeights w);  // what it points to must outlive the tester
  template <typename T>
  int Blob(const std::vector<T>& values) {
    blobs_.push_back(BytesOf(values));
    return static_cast<int>(blobs_.size()) - 1;
  }

  /// Do not repeat the test with the storage shifted to uint8 (operators that never see shifted
  /// storage).
  OpTester& NoShift();

  /// Run the alternative of that name (AlternativesOf) in place of the reference; Run() is
  /// kUnsupported with its reason where it does not accept.
  OpTester& Kernel(std::string name);

  /// Prepares and runs as described above. A refusal by prepare or a failing kernel is returned;
  /// broken promises (bytes that depend on the split, ...) are test failures.
  Status Run();

  /// What floats of other implementations may differ by: relative to the output's largest value.
  OpTester& FloatTolerance(float relative);
  /// Names of the implementations that the last Run compared with the reference, each once.
  const std::vector<std::string>& alternatives_run() const { return alternatives_run_; }

  /// Of the last successful Run, canonical storage.
  template <typename T>
  std::vector<T> Out(size_t i) const {
    return Values<T>(results_[i]);
  }
  template <typename T>
  std::vector<T> Var(size_t i) const {
    return Values<T>(final_variables_[i]);
  }
  template <typename T>
  std::vector<T> FinalState(size_t input) const {
    return Values<T>(final_inputs_[input]);
  }
  const Prepared& prepared() const { return prepared_; }
  /// What the kernel returned in the last Run.
  KernelCode code() const { return code_; }

 private:
  struct Buffers;  // one set of live tensors

  template <typename T>
  static std::vector<T> Values(const std::vector<uint8_t>& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    for (size_t i = 0; i < values.size(); ++i) {
      T v;
      std::memcpy(&v, bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = v;
    }
    return values;
  }
  Status Prepare(Buffers* buffers, int32_t act_bias);
  /// Runs over `cuts` (ascending, first 0, last tasks) in reverse order of ranges when `reverse`.
  Status RunCuts(Buffers* buffers, const std::vector<int64_t>& cuts, bool reverse, uint8_t fill);
  Status RunStored(int32_t act_bias);
  void CompareSplits(Buffers* buffers);
  void CompareInPlace(Buffers* buffers);
  bool AnyShiftable() const;
  Status PrepareKernel(const PrepareContext& ctx);
  void CompareAlternatives();
  void CompareAlternative(const Implementation& alternative, const simd::Tier& tier);
  void CompareOutputs(const Buffers& buffers);
  void CompareFloats(const std::vector<uint8_t>& reference, const std::vector<uint8_t>& got) const;
  void GuardWeights(PackedWeights* weights, Buffers* buffers);

  OpType type_;
  fbs::OptionsUnion options_;
  std::vector<TestTensor> inputs_, outputs_, variables_;
  std::vector<PackedWeights> weights_;
  std::vector<std::vector<uint8_t>> blobs_;
  bool shift_ = true;
  std::string kernel_;                           // empty: the reference
  const Implementation* alternative_ = nullptr;  // being compared, on tier_
  const simd::Tier* tier_ = nullptr;
  bool self_check_ = false;
  float float_tolerance_ = 2e-5f;
  std::vector<std::string> alternatives_run_;
  Prepared prepared_;
  KernelCode code_ = KernelCode::kOk;
  std::vector<std::vector<uint8_t>> results_, final_variables_, final_inputs_;
};

}  // namespace whit

#endif  // WHIT_TESTS_KERNELS_OP_TESTER_H_
