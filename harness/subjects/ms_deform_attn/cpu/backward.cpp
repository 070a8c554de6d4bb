#include "subjects/ms_deform_attn/cpu/heads.h"
#include "subjects/ms_deform_attn/cpu/operator.h"

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

/// grad_value is zeros, and each task adds to the channels of its own head.
template <typename T>
void run_without_maps(const BackwardProblem& p, const Heads<T>& heads, const Kernels<T>& with,
                      const Threads& threads) {
  threads.for_parts(p.N * p.S, grain_of(p.M * p.D), [&](std::int64_t begin, std::int64_t end) {
    const auto row = static_cast<std::size_t>(p.M * p.D) * sizeof(T);
    std::memset(static_cast<std::byte*>(p.grad_value) + static_cast<std::size_t>(begin) * row, 0,
                static_cast<std::size_t>(end - begin) * row);
  });
  heads.for_items(0, heads.count(), 1, grain_of(p.Q * p.L * p.P * 8 * (p.D + 8)),
                  [&](std::int64_t, std::int64_t, std::int64_t, const HeadTask& task) {
                    with.backward_into_value(p, task);
                  });
}

/// No two tasks write to the same memory: each head and level has a map of gradients of its own, and each row
/// of grad_value is written once, from the maps of the levels that own it.
template <typename T>
void run(const BackwardProblem& p, const Threads& threads) {
  const Kernels<T> with = kernels<T>();
  const Heads<T> heads(p, threads, with);
  if (bytes_of(p.value_type) == sizeof(T) && !heads.are_read_often()) {
    run_without_maps(p, heads, with, threads);
    return;
  }
  const std::int64_t elements = heads.elements(), at_once = heads.at_once();
  const std::int64_t of_level = p.Q * p.P * 8 * (p.D + 8);
  if (heads.spread_evenly()) {
    heads.for_heads(p.L * of_level, 2, [&](const HeadTask& task, T* maps) {
      with.backward(p, task, 0, p.L, maps, maps + elements);
      with.write_gradients(p, task, 0, p.S, maps + elements);
    });
    return;
  }
  const Memory<T> maps(at_once * elements), gradients(at_once * elements);
  heads.clear(at_once, maps.get());
  for (std::int64_t first = 0; first < heads.count(); first += at_once) {
    const std::int64_t count = std::min(at_once, heads.count() - first);
    heads.fill(first, count, maps.get());
    heads.for_items(first, count, p.L, grain_of(of_level),
                    [&](std::int64_t head, std::int64_t begin, std::int64_t end, const HeadTask& task) {
                      const std::int64_t offset = (head - first) * elements;
                      with.backward(p, task, begin, end, maps.get() + offset, gradients.get() + offset);
                    });
    heads.for_items(first, count, p.S, grain_of(4 * p.D),
                    [&](std::int64_t head, std::int64_t begin, std::int64_t end, const HeadTask& task) {
                      with.write_gradients(p, task, begin, end, gradients.get() + (head - first) * elements);
                    });
  }
}

}  // namespace

void backward(const BackwardProblem& problem, const Threads& threads) {
  if (problem.value_type == ElementType::kFloat64) {
    run<double>(problem, threads);
  } else {
    run<float>(problem, threads);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn::cpu
