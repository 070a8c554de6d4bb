// A bit budget: proof that a quantity is a multiple of a power of two and not too large, so that no
// operation on it rounds.
#pragma once

#include "oracles/arithmetic/rounding.h"
#include "oracles/ms_deform_attn/inputs.h"

namespace deformdiff::ms_deform_attn {

/// True if every intermediate of every stable formula (fused and grid_sample coordinates; product, expanded,
/// nested and polynomial interpolation; any summation order) is a number of the subject's dtype, so that all
/// correct implementations give the same result. The proof is in oracles/README.md, "Exact cases"; false
/// proves nothing. Gives up at the first element that breaks the budget. Requires finite inputs.
template <typename T>
bool every_evaluation_is_exact(const Inputs<T>& inputs, const Rounding& rounding);

}  // namespace deformdiff::ms_deform_attn
