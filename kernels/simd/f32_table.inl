// The float kernels of a tier. Before it: RunProduct and RunDepthwise, which choose the tier's
// tiles. T: the widest registers; Second: the same with x86's minima and maxima (the second operand
// where one is NaN); Narrow: those of 16 bytes.

template <class T, class Second, class Narrow>
constexpr F32Kernels FloatKernels(const char* tier) {
  return {.tier = tier,
          .product = &RunProduct,
          .depthwise = &RunDepthwise,
          .range = &FloatRange<Second>,
          .quantize = &QuantizeFloats<Second, Narrow>,
          .winograd_weights = &TransformWeights<T>,
          .winograd_input = &TransformInput<T>,
          .winograd_output = &TransformOutput<T>};
}
