// Elements so short that no stable formula rounds: every correct implementation gives the same numbers.
#pragma once

#include "core/random.h"
#include "generators/ms_deform_attn/sketch.h"

namespace deformdiff::ms_deform_attn {

/// Bits after the binary point and before it, such that every intermediate result fits the significand.
struct ExactBudget {
  int fraction;   ///< of a pixel coordinate
  int weight;     ///< of a weight, whose magnitude is at most 2
  int magnitude;  ///< of a value, which is an integer
  int gradient;   ///< of a gradient of the output, which is one too; 0 where there is none
};

/// Sums of corner weight (twice `fraction` bits) times weight times value over L*P points, four corners
/// each, with a factor of 4 to spare for formulas that take differences of corners first.
ExactBudget exact_budget(const Sketch& sketch);

/// Of the backward: sums over channels of gradient times weight times difference of values times corner
/// weight, and over Q*L*P points, all of which may reach one pixel, of gradient times weight times corner
/// weight, each with a factor of 2 to spare.
ExactBudget exact_backward_budget(const Sketch& sketch);

/// Sides must be powers of two. All three contiguous.
struct ExactTensors {
  Tensor value, sampling_loc, attn_weight;
};
ExactTensors make_exact(const Sketch& sketch, const ExactBudget& budget, const CounterRandom& random);

/// Integers of at most `bits` bits of either sign, contiguous.
Tensor make_exact_gradient(DType dtype, const Shape& shape, int bits, const CounterRandom& random);

}  // namespace deformdiff::ms_deform_attn
