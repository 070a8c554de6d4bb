// Mistakes in a model's code that its trace keeps, or makes permanent.
#pragma once

#include "faults/tampering.h"
#include "subjects/ms_deform_attn/arguments.h"

namespace deformdiff::worker {

/// Level sizes were integers inside the operator.
at::Tensor baked_levels(const ms_deform_attn::Inputs& inputs);

/// A loop over the batch inside the operator: the trace has it unrolled.
at::Tensor unrolled_batch(const ms_deform_attn::Inputs& inputs);

/// The model was in training mode: dropout after the second linear layer of each feed-forward part.
Tamper dropout_left_in(const Call& call);

/// Masks are used as they were thresholded: a query that may attend to nothing is not freed.
Tamper keep_blocked_rows(const Call& call);

}  // namespace deformdiff::worker
