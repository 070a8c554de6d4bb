#include "generators/ms_deform_attn/exact.h"

#include "core/dtype_dispatch.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

template <typename T>
Tensor make_integers(DType dtype, const Shape& shape, std::int64_t largest, double unit,
                     const CounterRandom& random) {
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(shape)) * sizeof(T));
  T* const out = reinterpret_cast<T*>(bytes.data());
  const auto range = static_cast<std::uint64_t>(2 * largest + 1);
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    out[i] = static_cast<T>(static_cast<double>(static_cast<std::int64_t>(random.below(i, range)) - largest) *
                            unit);
  }
  return Tensor(dtype, shape, std::move(bytes));
}

/// Pixel coordinate in units of 2^-fraction: mostly inside, some beside the map, few far away.
std::int64_t draw_pixel(const CounterRandom& random, std::uint64_t at, std::int64_t side, int fraction) {
  const std::uint64_t where = random.bits(at) & 31;
  const std::int64_t unit = std::int64_t{1} << fraction;
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random.below(at, static_cast<std::uint64_t>(n)));
  };
  if (where == 0) return unit * (below(64 * side) - 32 * side);
  if (where < 6) return below(unit * (side + 5) + 1) - 3 * unit;
  if (where < 12) return unit * (below(side + 2) - 1);
  return below(unit * (side + 1) + 1) - unit;
}

template <typename T>
Tensor make_locations(const Sketch& s, int fraction, const CounterRandom& random) {
  const Dims& d = s.dims;
  const Shape shape{d.N, d.Q, d.M, d.L, d.P, 2};
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(shape)) * sizeof(T));
  T* const out = reinterpret_cast<T*>(bytes.data());
  const double unit = 1.0 / static_cast<double>(std::int64_t{1} << fraction);
  std::uint64_t at = 0;
  for (std::int64_t nqm = 0; nqm < d.N * d.Q * d.M; ++nqm) {
    for (const Level& level : s.levels) {
      for (std::int64_t k = 0; k < 2 * d.P; ++k, ++at) {
        const std::int64_t side = k % 2 == 0 ? level.width : level.height;
        const double pixel = static_cast<double>(draw_pixel(random, at, side, fraction)) * unit;
        out[at] = static_cast<T>((pixel + 0.5) / static_cast<double>(side));
      }
    }
  }
  return Tensor(s.dtype, shape, std::move(bytes));
}

template <typename T>
ExactTensors make(const Sketch& s, const ExactBudget& budget, const CounterRandom& random) {
  const Dims& d = s.dims;
  const std::int64_t eighths = std::int64_t{1} << budget.weight;
  return {make_integers<T>(s.dtype, {d.N, d.S, d.M, d.D}, (std::int64_t{1} << budget.magnitude) - 1, 1,
                           random.stream(1)),
          make_locations<T>(s, budget.fraction, random.stream(2)),
          make_integers<T>(s.dtype, {d.N, d.Q, d.M, d.L, d.P}, 2 * eighths - 1,
                           1.0 / static_cast<double>(eighths), random.stream(3))};
}

}  // namespace

ExactBudget exact_budget(const Sketch& sketch) {
  const bool wide = sketch.dtype == DType::kFloat64;
  const int points =
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(sketch.dims.L * sketch.dims.P)));
  const int available = (wide ? 52 : 23) - points - 3;
  ExactBudget budget{wide ? 8 : 2, wide ? 8 : 3, 0, 0};
  while (2 * budget.fraction + budget.weight + 1 > available) {
    if (budget.fraction > 1) {
      --budget.fraction;
    } else {
      --budget.weight;
    }
  }
  budget.magnitude = std::min(wide ? 16 : 8, available - 2 * budget.fraction - budget.weight);
  return budget;
}

ExactBudget exact_backward_budget(const Sketch& sketch) {
  const auto bits = [](std::int64_t count) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(count)));
  };
  const bool wide = sketch.dtype == DType::kFloat64;
  const Dims& d = sketch.dims;
  const int available = wide ? 51 : 22, channels = bits(d.D), points = bits(d.Q * d.L * d.P);
  ExactBudget budget = wide ? ExactBudget{6, 6, 10, 6} : ExactBudget{2, 2, 6, 3};
  for (;;) {
    const int shared = 2 * budget.fraction + budget.weight + 1 + budget.gradient;
    const bool sums_fit = shared + budget.magnitude + channels <= available;
    if (sums_fit && shared + points <= available) return budget;
    // Most is gained where least is lost: fractions last, for on pixels' centres gradients jump.
    if (!sums_fit && budget.magnitude > 2) {
      --budget.magnitude;
    } else if (budget.gradient > 1) {
      --budget.gradient;
    } else if (budget.weight > 0) {
      --budget.weight;
    } else if (budget.fraction > 0) {
      --budget.fraction;
    } else {
      return budget;
    }
  }
}

ExactTensors make_exact(const Sketch& sketch, const ExactBudget& budget, const CounterRandom& random) {
  return with_floating(sketch.dtype, [&](auto zero) { return make<decltype(zero)>(sketch, budget, random); });
}

Tensor make_exact_gradient(DType dtype, const Shape& shape, int bits, const CounterRandom& random) {
  return with_floating(dtype, [&](auto zero) {
    return make_integers<decltype(zero)>(dtype, shape, (std::int64_t{1} << bits) - 1, 1, random);
  });
}

}  // namespace deformdiff::ms_deform_attn
