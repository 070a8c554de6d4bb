// The operator on the host: plain arrays in, plain arrays out. What it gives does not depend on the number of
// threads.
#pragma once

#include "subjects/ms_deform_attn/cpu/problem.h"
#include "subjects/ms_deform_attn/cpu/threads.h"

namespace deformdiff::worker::ms_deform_attn::cpu {

/// Throws std::bad_alloc where its own memory is not there, and what kernels() throws (instruction_set.h).
void forward(const ForwardProblem& problem, const Threads& threads);

/// Likewise.
void backward(const BackwardProblem& problem, const Threads& threads);

}  // namespace deformdiff::worker::ms_deform_attn::cpu
