// The trusted evaluation of multi-scale deformable attention, with the bound of every element.
// The rules and the derivation of every bound are in oracles/README.md.
#pragma once

#include "core/oracle.h"

namespace deformdiff::ms_deform_attn {

/// Judges float32 in double and float64 in 64-bit extended precision; throws InputError for other dtypes.
const Oracle& oracle();

}  // namespace deformdiff::ms_deform_attn
