// What the host kernels are given: plain arrays, of any of the four floating types.
#pragma once

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn::cpu {

enum class ElementType : std::uint8_t { kFloat64, kFloat32, kFloat16, kBFloat16 };

[[gnu::always_inline]] constexpr std::int64_t bytes_of(ElementType type) {
  return type == ElementType::kFloat64 ? 8 : type == ElementType::kFloat32 ? 4 : 2;
}

/// What both directions read. Row-major arrays; every level lies within the S rows of `value`, of which
/// levels may share some; map sides are below 2^31.
struct Problem {
  std::int64_t N, S, M, D, Q, L, P;       ///< batch, rows, heads, channels a head, queries, levels, points
  const std::int64_t* spatial_shapes;     ///< [L, 2], height then width
  const std::int64_t* level_start_index;  ///< [L], row of `value`
  ElementType value_type;                 ///< of value, output, and their gradients
  ElementType point_type;    ///< of sampling_loc and attn_weight: that of value, or float32 beside 16 bits
  const void* value;         ///< [N, S, M, D]
  const void* sampling_loc;  ///< [N, Q, M, L, P, 2], x then y
  const void* attn_weight;   ///< [N, Q, M, L, P]
};

struct ForwardProblem : Problem {
  void* output;  ///< [N, Q, M, D]; every element is written
};

struct BackwardProblem : Problem {
  const void* grad_output;  ///< [N, Q, M, D]
  void* grad_value;         ///< [N, S, M, D]; every element is written
  void* grad_sampling_loc;  ///< [N, Q, M, L, P, 2], x then y; every element is written
  void* grad_attn_weight;   ///< [N, Q, M, L, P]; every element is written
};

}  // namespace deformdiff::worker::ms_deform_attn::cpu
