// The host kernel of the backward, one point after the other.
#pragma once

#include "subjects/ms_deform_attn/backward_arguments.h"

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn {

/// The gradients that heads [begin, end) of the N*M heads own: of their channels of value, their locations
/// and their weights. What two heads write is apart, and the order of sums is that of queries, levels and
/// points.
template <typename T>
void backward_heads(const BackwardArguments<T>& arguments, std::int64_t begin, std::int64_t end);

}  // namespace deformdiff::worker::ms_deform_attn
