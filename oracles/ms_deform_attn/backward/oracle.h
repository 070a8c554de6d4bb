// The trusted evaluation of the operator's three gradients, with the set of every element.
// The rules and the derivation of every bound are in oracles/README.md, "The operator's backward".
#pragma once

#include "core/oracle.h"

namespace deformdiff::ms_deform_attn {

/// The oracles of cases in `dtype`: float32 is judged in double, float64 in 64-bit extended precision. Each
/// throws InputError for a dtype that is not judged; evaluating a case in another dtype throws it too.
const Oracle& value_gradient_oracle(DType dtype);
const Oracle& location_gradient_oracle(DType dtype);
const Oracle& weight_gradient_oracle(DType dtype);

}  // namespace deformdiff::ms_deform_attn
