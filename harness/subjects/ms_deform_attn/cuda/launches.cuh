// How the kernels are launched for a task, on the device and on the host alike.
#pragma once

#include "subjects/cuda/launch.h"
#include "subjects/ms_deform_attn/cuda/backward_kernel.cuh"
#include "subjects/ms_deform_attn/cuda/forward_kernel.cuh"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace deformdiff::worker::ms_deform_attn {

inline bool lies_at_16_bytes(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

/// The fewest lanes, a power of two, that have `channels` with `width` each; at most a warp.
inline WarpShares shares_of(std::int64_t channels, int width) {
  int lanes = 1;
  while (lanes < 32 && lanes * width < channels) lanes *= 2;
  return {lanes};
}

/// Blocks of `warps` warps for `units`, a warp each; beyond what a grid can have, warps do several.
inline LaunchShape shape_of(std::int64_t units, int warps) {
  constexpr std::int64_t kMaxBlocks = (std::int64_t{1} << 31) - 1;
  const std::int64_t blocks = (units + warps - 1) / warps;
  return {static_cast<unsigned>(std::min(blocks, kMaxBlocks)), static_cast<unsigned>(32 * warps)};
}

/// work(T{}, P{}): the types of value and of locations.
template <typename Work>
auto with_types(const Task& task, const Work& work) {
  const bool wide_locations = task.location_type == Element::kFloat32;
  switch (task.value_type) {
    case Element::kFloat64:
      return work(double{}, double{});
    case Element::kFloat32:
      return work(float{}, float{});
    case Element::kFloat16:
      return wide_locations ? work(__half{}, float{}) : work(__half{}, __half{});
    case Element::kBFloat16:
      break;
  }
  return wide_locations ? work(__nv_bfloat16{}, float{}) : work(__nv_bfloat16{}, __nv_bfloat16{});
}

/// work(integral_constant): how many elements are loaded at a time, 16 bytes or one.
template <typename T, typename Work>
auto with_width(const Task& task, bool is_aligned, const Work& work) {
  if (is_aligned && task.D % kFullWidth<T> == 0) return work(std::integral_constant<int, kFullWidth<T>>{});
  return work(std::integral_constant<int, 1>{});
}

inline LaunchStatus launch_forward(const ForwardTask& task, LaunchStream stream) {
  return with_types(task, [&](auto t, auto p) {
    using T = decltype(t);
    using P = decltype(p);
    const Problem<T, P> problem(task);
    const bool is_aligned = lies_at_16_bytes(task.value) && lies_at_16_bytes(task.output);
    return with_width<T>(task, is_aligned, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const WarpShares shares = shares_of(task.D, kWidth);
      const std::int64_t at_once = std::int64_t{shares.lanes} * kWidth;
      const std::int64_t units = shares.groups(problem.query_heads) * ((task.D + at_once - 1) / at_once);
      return launch("forward_kernel", forward_kernel<T, P, kWidth>, shape_of(units, kWarpsOfBlock), stream,
                    problem, shares, static_cast<T*>(task.output));
    });
  });
}

/// Enough parts of grad_value to occupy a device; their number does not change what is added in which order.
inline int parts_of(const Task& task) {
  constexpr std::int64_t kBlocks = 2048;
  const std::int64_t parts = kBlocks / std::max<std::int64_t>(1, task.N * task.M);
  return static_cast<int>(std::max<std::int64_t>(1, std::min(parts, task.S)));
}

inline LaunchStatus launch_backward(const BackwardTask& task, LaunchStream stream) {
  return with_types(task, [&](auto t, auto p) {
    using T = decltype(t);
    using P = decltype(p);
    const Problem<T, P> problem(task);
    const GradientArrays<T, P> arrays(task);
    const bool is_aligned = lies_at_16_bytes(task.value) && lies_at_16_bytes(task.grad_output) &&
                            lies_at_16_bytes(task.grad_value);
    const LaunchStatus status = with_width<T>(task, is_aligned, [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const WarpShares shares = shares_of(task.D, kWidth);
      return launch("backward_kernel", backward_kernel<T, P, kWidth>,
                    shape_of(shares.groups(problem.query_heads), kWarpsOfBlock), stream, problem, shares,
                    arrays);
    });
    if (status != kLaunched || arrays.adds_to_value || problem.query_heads == 0) return status;
    const int parts = parts_of(task);
    return launch("gather_kernel", gather_kernel<T, P>, shape_of(task.N * task.M * parts, 1), stream, problem,
                  parts, arrays);
  });
}

}  // namespace deformdiff::worker::ms_deform_attn
