// The pure PyTorch path: grid_sampler for each level, then weights and a sum. The cure that users of the
// broken export chose, and what "the composite" means in measurements.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

#include <ATen/core/Tensor.h>

namespace deformdiff::worker::ms_deform_attn {

/// ATen operators only, so that a tracer records all of it. Any device; reads spatial_shapes and
/// level_start_index on the host.
at::Tensor forward_composite(const Inputs& inputs);

}  // namespace deformdiff::worker::ms_deform_attn
