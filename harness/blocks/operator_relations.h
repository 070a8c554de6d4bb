// Relations between answers of the operator, and of its backward, that hold in any arithmetic but for
// rounding.
#pragma once

#include "core/relation.h"

namespace deformdiff::ms_deform_attn {

/// Splitting batch, queries, heads and channels; permuting these, levels and points; other chunks of the
/// batch; linearity in value and weights, and in grad_output; maps transposed, turned by half a turn, and
/// with whole pixels of zeros around them. Derivation: oracles/README.md, rule 8.
const Relations& relations();
const Relations& backward_relations();

}  // namespace deformdiff::ms_deform_attn
