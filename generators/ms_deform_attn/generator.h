// The streams of cases of the operator and of its backward.
#pragma once

#include "core/generator.h"

namespace deformdiff::ms_deform_attn {

/// Tiers exact, typical, adversarial, degenerate, nonfinite, and huge where it is named. Lives as long as the
/// program.
const Generator& generator();

/// The same tiers, drawn alike, with gradients of the output (gradients.h); one case in 24 is one of
/// backward_turn(). Lives as long as the program.
const Generator& backward_generator();

}  // namespace deformdiff::ms_deform_attn
