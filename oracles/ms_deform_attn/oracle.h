// The trusted evaluation of multi-scale deformable attention, with the bound of every element.
// The rules and the derivation of every bound are in oracles/README.md.
#pragma once

#include "core/oracle.h"

namespace deformdiff::ms_deform_attn {

/// The oracle of subjects whose steps round in `dtype`: float32 is judged in double, float64 in 64-bit
/// extended precision. Cases are of `dtype`, for one of 16 bits of float32; evaluating another throws
/// InputError.
const Oracle& oracle(DType dtype);

}  // namespace deformdiff::ms_deform_attn
