// Shapes of tensors without data, whose extents may be symbols: torch.compile and torch.export trace with
// them.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

#include <vector>

#include <c10/core/SymInt.h>

namespace deformdiff::worker::ms_deform_attn {

/// output_shape(), [N, Q, M*D].
std::vector<c10::SymInt> symbolic_output_shape(const Inputs& inputs);

}  // namespace deformdiff::worker::ms_deform_attn
