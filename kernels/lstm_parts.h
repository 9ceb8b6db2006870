// Inside of the Lstm operator: what lstm.cc reads from the options and the two arithmetics
// (lstm_integer.cc, lstm_float.cc) run with. docs/arithmetic.md, Recurrent.
#ifndef WHIT_KERNELS_LSTM_PARTS_H_
#define WHIT_KERNELS_LSTM_PARTS_H_

#include <array>
#include <cstdint>

#include "kernels/op.h"
#include "kernels/recurrent.h"
#include "schema/model_generated.h"

namespace whit {

/// Places of the gates in LstmOptions.gates.
enum LstmGateIndex : size_t { kGateI = 0, kGateF, kGateG, kGateO, kLstmGates };

struct LstmDims {
  int64_t batch = 1, steps = 0;
  int64_t inputs = 0, cells = 0, outputs = 0;
  bool time_major = false;
  const simd::Tier* tier = nullptr;  // that runs the inner loops; null: portable code

  /// Row of x and y that belongs to a sequence and a time step.
  int64_t Row(int64_t sequence, int64_t step) const {
    return time_major ? step * batch + sequence : sequence * steps + step;
  }
};

/// Arrays are borrowed from the mapping; null where absent. Bias is int32_t or float, Coef (what
/// multiplies a cell) int16_t or float.
template <typename Bias, typename Coef>
struct LstmGateOf {
  PackedMatrix input, recurrent;
  const Bias* input_bias = nullptr;
  const int32_t* recurrent_bias = nullptr;  // integers
  const Coef* peephole = nullptr;
  const Coef* norm = nullptr;
  const Bias* norm_bias = nullptr;
  float input_multiplier = 0, recurrent_multiplier = 0, peephole_multiplier = 0,
        norm_multiplier = 0;  // integers

  bool present() const { return input.present(); }
};

template <typename Bias, typename Coef>
struct LstmOf {
  LstmDims d;
  std::array<LstmGateOf<Bias, Coef>, kLstmGates> gates;  // gate i is absent under CIFG
  PackedMatrix projection;                               // absent: the hidden state is the output
  const Bias* projection_bias = nullptr;
};

/// Reads gates and projection, all present ones of the same element type. Instantiated for
/// <int32_t, int16_t> and <float, float>.
template <typename Bias, typename Coef>
Result<LstmOf<Bias, Coef>> ReadLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                                    const LstmDims& d);

// Shapes, states and the number of inputs have been checked; they check the rest and fill scratch,
// params and run.
Status PrepareIntegerLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                          const LstmDims& d, Prepared* prepared);
Status PrepareFloatLstm(const PrepareContext& ctx, const fbs::LstmOptions& options,
                        const LstmDims& d, Prepared* prepared);

}  // namespace whit

#endif  // WHIT_KERNELS_LSTM_PARTS_H_
