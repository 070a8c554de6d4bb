// The trusted evaluation of multi-scale deformable attention, with the bound of every element.
// The rules and the derivation of every bound are in oracles/README.md.
#pragma once

#include "core/oracle.h"

namespace deformdiff::ms_deform_attn {

/// The oracle of cases in `dtype`: float32 is judged in double, float64 in 64-bit extended precision. Throws
/// InputError for a dtype that is not judged; evaluating a case in another dtype throws it too.
const Oracle& oracle(DType dtype);

}  // namespace deformdiff::ms_deform_attn
