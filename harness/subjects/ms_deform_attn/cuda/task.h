// What the CUDA kernels are asked to do: plain C++, so that neither side needs the other's headers.
#pragma once

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn {

/// float16 and bfloat16 are computed with in float32.
enum class Element { kFloat64, kFloat32, kFloat16, kBFloat16 };

/// Row-major arrays on the device. Every level lies within the S rows of `value`, of which levels may share
/// some; map sides, M * D and L * P are below 2^31.
struct Task {
  Element value_type;     ///< of value and of what has its place
  Element location_type;  ///< of sampling_loc and attn_weight: as value_type, or float32 beside 16 bits
  std::int64_t N, S, M, D, Q, L, P;       ///< batch, rows, heads, channels a head, queries, levels, points
  const std::int64_t* spatial_shapes;     ///< [L, 2], height then width
  const std::int64_t* level_start_index;  ///< [L], row of `value`
  const void* value;                      ///< [N, S, M, D]
  const void* sampling_loc;               ///< [N, Q, M, L, P, 2], x then y
  const void* attn_weight;                ///< [N, Q, M, L, P]
};

struct ForwardTask : Task {
  void* output;  ///< [N, Q, M, D] of value_type; every element is written
};

struct BackwardTask : Task {
  const void* grad_output;  ///< [N, Q, M, D] of value_type
  void* grad_value;         ///< [N, S, M, D], zeros, float32 for 16 bits: what points give is added
  void* grad_sampling_loc;  ///< [N, Q, M, L, P, 2] of location_type, x then y; every element is written
  void* grad_attn_weight;   ///< [N, Q, M, L, P] of location_type; every element is written
  bool deterministic;       ///< adds to each element of grad_value in a fixed order, which takes longer
};

}  // namespace deformdiff::worker::ms_deform_attn
