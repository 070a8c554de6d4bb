// The operator called outside the dispatcher. What it computes is right; what a tracer keeps of it is not.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"

namespace deformdiff::worker {

/// As mmcv: the graph keeps the zeros alone.
at::Tensor unregistered_kernel(const ms_deform_attn::Inputs& inputs);

/// The same with memory that nobody has written.
at::Tensor uninitialised_kernel(const ms_deform_attn::Inputs& inputs);

/// The kernel writes into memory of its own: the tracer keeps the first result as a constant.
at::Tensor constant_kernel(const ms_deform_attn::Inputs& inputs);

}  // namespace deformdiff::worker
