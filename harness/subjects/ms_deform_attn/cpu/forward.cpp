#include "subjects/ms_deform_attn/cpu/heads.h"
#include "subjects/ms_deform_attn/cpu/operator.h"

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

template <typename T>
void run(const ForwardProblem& p, const Threads& threads) {
  const Kernels<T> with = kernels<T>();
  const Heads<T> heads(p, threads, with);
  const std::int64_t of_query = p.L * p.P * 4 * (p.D + 8), grain = grain_of(of_query);
  if (!heads.are_read_often()) {
    heads.for_items(0, heads.count(), p.Q, grain,
                    [&](std::int64_t, std::int64_t begin, std::int64_t end, const HeadTask& task) {
                      with.forward_from_value(p, task, begin, end);
                    });
    return;
  }
  if (heads.spread_evenly()) {
    heads.for_heads(p.Q * of_query, 1,
                    [&](const HeadTask& task, const T* map) { with.forward(p, task, 0, p.Q, map); });
    return;
  }
  const std::int64_t elements = heads.elements(), at_once = heads.at_once();
  const Memory<T> maps(at_once * elements);
  heads.clear(at_once, maps.get());
  for (std::int64_t first = 0; first < heads.count(); first += at_once) {
    const std::int64_t count = std::min(at_once, heads.count() - first);
    heads.fill(first, count, maps.get());
    heads.for_items(first, count, p.Q, grain,
                    [&](std::int64_t head, std::int64_t begin, std::int64_t end, const HeadTask& task) {
                      with.forward(p, task, begin, end, maps.get() + (head - first) * elements);
                    });
  }
}

}  // namespace

void forward(const ForwardProblem& problem, const Threads& threads) {
  if (problem.value_type == ElementType::kFloat64) {
    run<double>(problem, threads);
  } else {
    run<float>(problem, threads);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn::cpu
