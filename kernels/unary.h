// Operators of one operand as their references read them; the faster implementations start from
// these.
#ifndef WHIT_KERNELS_UNARY_H_
#define WHIT_KERNELS_UNARY_H_

namespace whit {

struct UnaryParams {
  float alpha = 0;
  bool approximate = false;  // Gelu
};

}  // namespace whit

#endif  // WHIT_KERNELS_UNARY_H_
