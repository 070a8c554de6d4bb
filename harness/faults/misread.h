// Inputs as implementations misread them.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

namespace deformdiff::worker {

/// Element i of the storage for element i of the tensor; starts again where the storage ends.
at::Tensor as_if_contiguous(const at::Tensor& tensor);

/// As the pure PyTorch path does: levels are taken to follow one another. Kept inside the rows of value.
ms_deform_attn::Inputs as_if_consecutive(const ms_deform_attn::Inputs& inputs);

}  // namespace deformdiff::worker
