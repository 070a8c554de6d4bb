// What a kernel of the backward is given: plain pointers and extents, for the host and the device alike.
#pragma once

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn {

/// Row-major arrays. Every level lies within the S rows of `value`, of which levels may share some; map sides
/// are below 2^31.
template <typename T>
struct BackwardArguments {
  std::int64_t N, S, M, D, Q, L, P;       ///< batch, rows, heads, channels a head, queries, levels, points
  const std::int64_t* spatial_shapes;     ///< [L, 2], height then width
  const std::int64_t* level_start_index;  ///< [L], row of `value`
  const T* value;                         ///< [N, S, M, D]
  const T* sampling_loc;                  ///< [N, Q, M, L, P, 2], x then y
  const T* attn_weight;                   ///< [N, Q, M, L, P]
  const T* grad_output;                   ///< [N, Q, M, D]
  T* grad_value;                          ///< [N, S, M, D], zeros: what points give is added
  T* grad_sampling_loc;                   ///< [N, Q, M, L, P, 2], x then y; every element is written
  T* grad_attn_weight;                    ///< [N, Q, M, L, P]; every element is written
};

}  // namespace deformdiff::worker::ms_deform_attn
