// The host kernels of one instruction set. Each set's lie in a translation unit of its own, compiled for it.
#pragma once

#include "subjects/ms_deform_attn/cpu/bordered_map.h"
#include "subjects/ms_deform_attn/cpu/problem.h"

#include <cstddef>
#include <cstdint>

namespace deformdiff::worker::ms_deform_attn::cpu {

/// One head of one batch element, and what of it is to be done.
struct HeadTask {
  std::int64_t n, m;
  const BorderedLevel* levels;  ///< [L]
  std::byte* workspace;         ///< of this call alone, of workspace_bytes, aligned to 64
};

/// T: what is computed in, double for float64 and float for the others.
template <typename T>
struct Kernels {
  /// Of a task.
  std::int64_t (*workspace_bytes)(const Problem&);
  /// Writes rows [first, last) of one level, without the border, into the head's map.
  void (*fill_map)(const Problem&, const HeadTask&, std::int64_t level, std::int64_t first, std::int64_t last,
                   T* map);
  /// The output of queries [first, last) of the head, read from its map.
  void (*forward)(const ForwardProblem&, const HeadTask&, std::int64_t first, std::int64_t last,
                  const T* map);
  /// The same without a map: for few queries on large maps.
  void (*forward_from_value)(const ForwardProblem&, const HeadTask&, std::int64_t first, std::int64_t last);
  /// Writes the gradients of levels [first, last): of the head's map, pixels as they lie in it, and of the
  /// locations and weights of all queries.
  void (*backward)(const BackwardProblem&, const HeadTask&, std::int64_t first, std::int64_t last,
                   const T* map, T* gradients);
  /// The same without maps, for few queries on large maps, where value_type is T: adds to grad_value, of
  /// which the head's channels are zeros.
  void (*backward_into_value)(const BackwardProblem&, const HeadTask&);
  /// Writes rows [first, last) of grad_value of the head: sums over the levels that own them. Changes
  /// `gradients`.
  void (*write_gradients)(const BackwardProblem&, const HeadTask&, std::int64_t first, std::int64_t last,
                          T* gradients);
};

}  // namespace deformdiff::worker::ms_deform_attn::cpu
