// Builds small .whit files in memory, operator by operator, for tests of the runtime.
#ifndef WHIT_TESTS_RUNTIME_MODEL_BUILDER_H_
#define WHIT_TESTS_RUNTIME_MODEL_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/pack.h"
#include "schema/writer.h"

namespace whit {

class ModelBuilder {
 public:
  ModelBuilder();

  struct TensorSpec {
    fbs::DType type = fbs::DType::int8;
    std::vector<uint32_t> shape;
    float scale = 0;  // 0: not quantized
    int32_t zero_point = 0;
    std::vector<int32_t> dim_vars = {};  // one a dimension (Dim, or -1), or empty
  };

  /// Index of a new activation tensor.
  int Tensor(const std::string& name, const TensorSpec& spec);
  int Constant(const std::string& name, const TensorSpec& spec, std::span<const std::byte> bytes);
  /// A tensor that is variable `variable` seen by an operator.
  int VariableTensor(const std::string& name, const TensorSpec& spec, int variable);
  int Variable(const std::string& name, const TensorSpec& spec);
  /// A named dimension; a tensor's dimension that refers to it is stored as `max`.
  int Dim(const std::string& name, uint32_t max, uint32_t value);

  int Weights(const PackedArrays& packed);
  /// A k x k convolution (or depthwise) at stride 1 with SAME padding from tensor `in` to `out`,
  /// with random weights and multiplier.
  void Conv(const std::string& name, int in, int out, int64_t k, std::mt19937* rng,
            bool depthwise = false);
  int Blob(std::span<const std::byte> bytes) { return writer_.AddBlob(bytes); }

  template <typename OptionsT>
  void Op(const std::string& name, fbs::Options type, OptionsT options, std::vector<int> in,
          std::vector<int> out) {
    auto op = std::make_unique<fbs::OperatorT>();
    op->name = name;
    op->options.type = type;
    op->options.value = new OptionsT(std::move(options));  // freed by the union
    op->inputs = std::move(in);
    op->outputs = std::move(out);
    subgraph().operators.push_back(std::move(op));
  }

  void Input(int tensor, fbs::DType type) { AddIo(&signature().inputs, tensor, type); }
  void Output(int tensor, fbs::DType type) { AddIo(&signature().outputs, tensor, type); }

  /// The file's bytes; a failure is a test failure.
  std::vector<std::byte> Finish();

  fbs::ModelT& graph() { return writer_.graph; }
  fbs::SubgraphT& subgraph() { return *writer_.graph.subgraphs[0]; }

 private:
  fbs::SignatureT& signature() { return *writer_.graph.signatures[0]; }
  void AddIo(std::vector<std::unique_ptr<fbs::IoT>>* list, int tensor, fbs::DType type);

  FileWriter writer_;
};

/// A small int8 network with every kind of memory traffic: a 3x3 convolution, a residual add over a
/// reshape, a fully connected layer and a softmax-free output. Input uint8 [1,8,8,3], output int8
/// [1,10]. With `max_batch` the batch is a dimension "batch" of 1 to that many, 1 by default.
std::vector<std::byte> SmallNetwork(uint32_t max_batch = 0);

}  // namespace whit

#endif  // WHIT_TESTS_RUNTIME_MODEL_BUILDER_H_
