// The known answers that every tier must give before it is used: they hold for the tiers of this
// CPU, and a table with any one kernel that answers wrongly is noticed.
#include <gtest/gtest.h>

#include <string>

#include "kernels/simd/tiers.h"
#include "tests/kernels/test_tiers.h"

namespace whit {
namespace {

using simd::F32Kernels;
using simd::FirstWrongKernel;
using simd::Kernels;
using simd::VectorKernels;

template <typename T>
void Disturb(T* value) {
  *value = static_cast<T>(*value + 1);
}
void Disturb(float* value) { *value = *value * 1.5f + 1; }

template <typename Args>
void Spoil(const Args& a) {
  if constexpr (requires { a.dequantize; }) {
    if (a.dequantize != nullptr) return Disturb(a.dequantize->out);
  }
  if constexpr (requires { a.out; }) {
    Disturb(a.out);
  } else if constexpr (requires { a.sums; }) {
    Disturb(a.sums);
  } else if constexpr (requires { a.at; }) {
    Disturb(a.at);
  } else if constexpr (requires { a.smallest; }) {
    Disturb(a.smallest);
  } else if constexpr (requires { a.y; }) {
    Disturb(a.y);
  } else if constexpr (requires { a.u; }) {
    Disturb(a.u);
  } else {
    Disturb(a.v);
  }
}

// A kernel with one wrong result. Tables hold plain functions, so what it stands for is static.
template <typename Args>
struct Spoiled {
  static inline void (*real)(const Args&) = nullptr;
  static void Run(const Args& a) {
    real(a);
    Spoil(a);
  }
};

template <typename Table>
class Spoiler {
 public:
  Spoiler(const Table& table, int32_t act_bias) : table_(table), act_bias_(act_bias) {}

  template <typename Args>
  void Expect(const char* name, void (*Table::*member)(const Args&)) const {
    if (table_.*member == nullptr) return;
    Table table = table_;
    Spoiled<Args>::real = table.*member;
    table.*member = &Spoiled<Args>::Run;
    EXPECT_NE(FirstWrongKernel(table, act_bias_), nullptr) << name << " may answer wrongly";
  }

 private:
  const Table& table_;
  const int32_t act_bias_;
};

TEST(KnownAnswers, HoldOnThisCpu) {
  for (const simd::Tier* tier : RunnableTiers()) {
    SCOPED_TRACE(tier->name);
    EXPECT_EQ(FirstWrongKernel(*tier->kernels, tier->act_bias), nullptr);
    if (tier->f32 != nullptr) {
      EXPECT_EQ(FirstWrongKernel(*tier->f32, tier->act_bias), nullptr);
    }
    if (tier->vector != nullptr) {
      EXPECT_EQ(FirstWrongKernel(*tier->vector, tier->act_bias), nullptr);
    }
  }
}

TEST(KnownAnswers, WrongProductsAreNoticed) {
  for (const simd::Tier* tier : RunnableTiers()) {
    SCOPED_TRACE(tier->name);
    const Spoiler<Kernels> spoiler(*tier->kernels, tier->act_bias);
    spoiler.Expect("product_i8", &Kernels::product_i8);
    spoiler.Expect("wide_product", &Kernels::wide_product);
    spoiler.Expect("column_range", &Kernels::column_range);
    spoiler.Expect("subtract_columns", &Kernels::subtract_columns);
    spoiler.Expect("quad_maxima", &Kernels::quad_maxima);
    spoiler.Expect("row_sums", &Kernels::row_sums);
    spoiler.Expect("depthwise_i8", &Kernels::depthwise_i8);
    spoiler.Expect("depthwise_flat_i8", &Kernels::depthwise_flat_i8);
  }
}

TEST(KnownAnswers, WrongFloatsAreNoticed) {
  for (const simd::Tier* tier : RunnableTiers()) {
    if (tier->f32 == nullptr) continue;
    SCOPED_TRACE(tier->name);
    const Spoiler<F32Kernels> spoiler(*tier->f32, tier->act_bias);
    spoiler.Expect("product", &F32Kernels::product);
    spoiler.Expect("depthwise", &F32Kernels::depthwise);
    spoiler.Expect("quantize", &F32Kernels::quantize);
    spoiler.Expect("winograd_weights", &F32Kernels::winograd_weights);
    spoiler.Expect("winograd_input", &F32Kernels::winograd_input);
    spoiler.Expect("winograd_output", &F32Kernels::winograd_output);
  }
}

TEST(KnownAnswers, WrongVectorKernelsAreNoticed) {
  for (const simd::Tier* tier : RunnableTiers()) {
    if (tier->vector == nullptr) continue;
    SCOPED_TRACE(tier->name);
    const Spoiler<VectorKernels> spoiler(*tier->vector, tier->act_bias);
    spoiler.Expect("binary_u8", &VectorKernels::binary_u8);
    spoiler.Expect("binary_i16", &VectorKernels::binary_i16);
    spoiler.Expect("binary_f32", &VectorKernels::binary_f32);
    spoiler.Expect("table_u8", &VectorKernels::table_u8);
    if (HostCpu().avx512vbmi) spoiler.Expect("table_u8_vbmi", &VectorKernels::table_u8_vbmi);
    spoiler.Expect("table_i16", &VectorKernels::table_i16);
    spoiler.Expect("unary_f32", &VectorKernels::unary_f32);
    spoiler.Expect("quantize_u8", &VectorKernels::quantize_u8);
    spoiler.Expect("dequantize_u8", &VectorKernels::dequantize_u8);
    spoiler.Expect("quantize_i16", &VectorKernels::quantize_i16);
    spoiler.Expect("dequantize_i16", &VectorKernels::dequantize_i16);
    spoiler.Expect("rescale_u8_to_i16", &VectorKernels::rescale_u8_to_i16);
    spoiler.Expect("rescale_i16_to_u8", &VectorKernels::rescale_i16_to_u8);
    spoiler.Expect("rescale_i16", &VectorKernels::rescale_i16);
    spoiler.Expect("pool_u8", &VectorKernels::pool_u8);
    spoiler.Expect("pool_f32", &VectorKernels::pool_f32);
    spoiler.Expect("resize_u8", &VectorKernels::resize_u8);
    spoiler.Expect("resize_f32", &VectorKernels::resize_f32);
    spoiler.Expect("softmax_u8", &VectorKernels::softmax_u8);
    spoiler.Expect("softmax_f32", &VectorKernels::softmax_f32);
    spoiler.Expect("column_sums_f32", &VectorKernels::column_sums_f32);
    spoiler.Expect("arg_u8", &VectorKernels::arg_u8);
    spoiler.Expect("rows_u8", &VectorKernels::rows_u8);
    spoiler.Expect("rows_f32", &VectorKernels::rows_f32);
    spoiler.Expect("l2_norm_u8", &VectorKernels::l2_norm_u8);
    spoiler.Expect("l2_norm_f32", &VectorKernels::l2_norm_f32);
    spoiler.Expect("transpose", &VectorKernels::transpose);
  }
}

}  // namespace
}  // namespace whit
