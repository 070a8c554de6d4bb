// Simpler numbers to try in the place of an element.
#pragma once

#include "generators/ms_deform_attn/edits.h"

#include <vector>

namespace deformdiff::ms_deform_attn {

/// Zero, one, and for locations the first pixel's centre: what whole tensors are set to first.
std::vector<Simplify> constants_for(Input input);

/// Roundings that keep some of a number: to a power of two, integers, halves, eighths; without the sign.
std::vector<Simplify> roundings_for(Input input, DType dtype);

}  // namespace deformdiff::ms_deform_attn
