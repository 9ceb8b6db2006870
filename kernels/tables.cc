#include "kernels/tables.h"

#include <algorithm>
#include <cmath>

namespace whit {

namespace {

double HardSwish(double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }

double Gelu(double x, bool approximate) {
  if (!approximate) return 0.5 * x * std::erfc(-x * M_SQRT1_2);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

// z + rne(real / scale) inside [lo, hi].
int32_t Store(double real, double scale, int32_t zero, int32_t lo, int32_t hi) {
  if (std::isnan(real)) return std::clamp(zero, lo, hi);
  const double stored = zero + std::nearbyint(real / scale);
  return static_cast<int32_t>(std::clamp<double>(stored, lo, hi));
}

// Fixed point, saturating: 0 for what is too small to show.
uint32_t Fixed(double value, int bits) {
  const double scaled = std::nearbyint(std::ldexp(value, bits));
  return static_cast<uint32_t>(std::clamp(scaled, 0.0, 4294967295.0));
}

void AppendLogs(std::vector<uint32_t>* table) {
  for (int i = 0; i <= 256; ++i) table->push_back(Fixed(std::log1p(i / 256.0), 30));
}

}  // namespace

RealFunction FunctionOf(OpType type, float alpha, bool approximate) {
  const double a = alpha;
  switch (type) {
    case OpType::kAbs:
      return [](double x) { return std::fabs(x); };
    case OpType::kNeg:
      return [](double x) { return -x; };
    case OpType::kSqrt:
      return [](double x) { return std::sqrt(x); };
    case OpType::kRsqrt:
      return [](double x) { return 1 / std::sqrt(x); };
    case OpType::kSquare:
      return [](double x) { return x * x; };
    case OpType::kExp:
      return [](double x) { return std::exp(x); };
    case OpType::kLog:
      return [](double x) { return std::log(x); };
    case OpType::kSin:
      return [](double x) { return std::sin(x); };
    case OpType::kCos:
      return [](double x) { return std::cos(x); };
    case OpType::kFloor:
      return [](double x) { return std::floor(x); };
    case OpType::kCeil:
      return [](double x) { return std::ceil(x); };
    case OpType::kRound:
      return [](double x) { return std::nearbyint(x); };
    case OpType::kLogistic:
      return [](double x) { return 1 / (1 + std::exp(-x)); };
    case OpType::kTanh:
      return [](double x) { return std::tanh(x); };
    case OpType::kRelu:
      return [](double x) { return std::max(x, 0.0); };
    case OpType::kRelu6:
      return [](double x) { return std::clamp(x, 0.0, 6.0); };
    case OpType::kReluN1To1:
      return [](double x) { return std::clamp(x, -1.0, 1.0); };
    case OpType::kLeakyRelu:
      return [a](double x) { return x > 0 ? x : a * x; };
    case OpType::kElu:
      return [a](double x) { return x > 0 ? x : a * std::expm1(x); };
    case OpType::kHardSwish:
      return HardSwish;
    case OpType::kGelu:
      return [approximate](double x) { return Gelu(x, approximate); };
    default:
      return nullptr;
  }
}

std::array<int8_t, 256> MakeTable(const RealFunction& f, double scale_in, int32_t zero_in,
                                  double scale_out, int32_t zero_out) {
  std::array<int8_t, 256> table;
  for (int q = -128; q < 128; ++q) {
    const double real = f(scale_in * (q - zero_in));
    table[static_cast<size_t>(q + 128)] =
        static_cast<int8_t>(Store(real, scale_out, zero_out, -128, 127));
  }
  return table;
}

std::array<int16_t, kTable16Entries> MakeTable16(const RealFunction& f, double scale_in,
                                                 int32_t zero_in, double scale_out,
                                                 int32_t zero_out) {
  const auto exact = [&](double q) { return f(scale_in * (q - zero_in)) / scale_out; };
  std::array<int16_t, kTable16Entries> table;
  for (int i = 0; i < kTable16Entries; ++i) {
    const double q = -32768.0 + 128 * i;
    double value = exact(q);
    if (i + 1 < kTable16Entries) {
      const double error = (value + exact(q + 128)) / 2 - exact(q + 64);
      if (std::isfinite(error)) value -= error / 2;
    }
    table[static_cast<size_t>(i)] = static_cast<int16_t>(Store(value, 1, zero_out, -32768, 32767));
  }
  return table;
}

std::vector<uint32_t> MakeSoftmaxTable8(double beta, double scale_in) {
  std::vector<uint32_t> table;
  for (int d = 0; d < 256; ++d) table.push_back(Fixed(std::exp(-beta * scale_in * d), 30));
  return table;
}

std::vector<uint32_t> MakeSoftmaxTable16(double beta, double scale_in) {
  std::vector<uint32_t> table;
  for (int d = 0; d < 256; ++d) table.push_back(Fixed(std::exp(-beta * scale_in * 256 * d), 30));
  for (int d = 0; d < 256; ++d) table.push_back(Fixed(std::exp(-beta * scale_in * d), 31));
  return table;
}

std::vector<uint32_t> MakeLogSoftmaxTable8(double beta, double scale_in) {
  std::vector<uint32_t> table = MakeSoftmaxTable8(beta, scale_in);
  AppendLogs(&table);
  return table;
}

std::vector<uint32_t> MakeLogSoftmaxTable16(double beta, double scale_in) {
  std::vector<uint32_t> table = MakeSoftmaxTable16(beta, scale_in);
  AppendLogs(&table);
  return table;
}

}  // namespace whit
