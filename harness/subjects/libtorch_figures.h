// What LibTorch's CPU kernels are known for, whoever calls them. function_ulps_test measures it.
#pragma once

#include "core/precision.h"

namespace deformdiff::worker {

/// MKL's functions err by less than 1; SLEEF's, where there is no MKL, by 1, and sin and cos by 3.5. Softmax
/// has an exp of its own (exp_u20), and GELU in float32 the polynomial of Abramowitz and Stegun 7.1.26 for
/// erf: 1.5e-7, which is 2.5 units in the last place of 1/2, and its roundings.
inline constexpr FunctionUlps kLibTorchUlps{.exp = 2, .tanh = 1, .sin_cos = 3.5, .pow = 1, .erf = 8};

}  // namespace deformdiff::worker
