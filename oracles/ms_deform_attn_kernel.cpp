#include "oracles/ms_deform_attn_kernel.h"

#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

template <typename T, typename Scalar>
[[gnu::always_inline]] inline void value_loop(const std::array<const T*, 4>& corners,
                                              const std::array<Scalar, 4>& weights, std::int64_t channels,
                                              Scalar* __restrict value) {
  const T* __restrict v00 = corners[0];
  const T* __restrict v01 = corners[1];
  const T* __restrict v10 = corners[2];
  const T* __restrict v11 = corners[3];
  for (std::int64_t d = 0; d < channels; ++d) {
    value[d] += (weights[0] * static_cast<Scalar>(v00[d]) + weights[1] * static_cast<Scalar>(v01[d])) +
                (weights[2] * static_cast<Scalar>(v10[d]) + weights[3] * static_cast<Scalar>(v11[d]));
  }
}

template <typename T>
[[gnu::always_inline]] inline void bound_loop(const std::array<const T*, 4>& corners, const BoundTerms& terms,
                                              std::int64_t channels, double* __restrict bound,
                                              double* __restrict magnitude) {
  const T* __restrict v00 = corners[0];
  const T* __restrict v01 = corners[1];
  const T* __restrict v10 = corners[2];
  const T* __restrict v11 = corners[3];
  const BoundTerms t = terms;
  for (std::int64_t d = 0; d < channels; ++d) {
    const double a = v00[d], b = v01[d], c = v10[d], e = v11[d];
    const double top = b - a, bottom = e - c;
    const double slope_x = t.near_y * top + t.far_y * bottom;
    const double slope_y = t.near_x * (c - a) + t.far_x * (e - b);
    magnitude[d] += (t.magnitude[0] * std::fabs(a) + t.magnitude[1] * std::fabs(b)) +
                    (t.magnitude[2] * std::fabs(c) + t.magnitude[3] * std::fabs(e));
    const double rounding = (t.absolute[0] * std::fabs(a) + t.absolute[1] * std::fabs(b)) +
                            (t.absolute[2] * std::fabs(c) + t.absolute[3] * std::fabs(e));
    const double moved = t.shift_x * std::fabs(slope_x) + t.shift_y * std::fabs(slope_y) +
                         t.shift_xy * std::fabs(bottom - top);
    bound[d] += rounding + moved;
  }
}

}  // namespace

// One binary for every machine: the loops are compiled for three levels of the architecture.
#if defined(__x86_64__) && defined(__GNUC__)
namespace {

enum class Level { kBase, kV3, kV4 };

Level machine_level() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd")) {
    return Level::kV4;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")
             ? Level::kV3
             : Level::kBase;
}

const Level kLevel = machine_level();

template <typename T, typename Scalar>
[[gnu::target("arch=x86-64-v4")]] void value_v4(const std::array<const T*, 4>& corners,
                                                const std::array<Scalar, 4>& weights, std::int64_t channels,
                                                Scalar* value) {
  value_loop(corners, weights, channels, value);
}
template <typename T, typename Scalar>
[[gnu::target("arch=x86-64-v3")]] void value_v3(const std::array<const T*, 4>& corners,
                                                const std::array<Scalar, 4>& weights, std::int64_t channels,
                                                Scalar* value) {
  value_loop(corners, weights, channels, value);
}
template <typename T>
[[gnu::target("arch=x86-64-v4")]] void bound_v4(const std::array<const T*, 4>& corners,
                                                const BoundTerms& terms, std::int64_t channels, double* bound,
                                                double* magnitude) {
  bound_loop(corners, terms, channels, bound, magnitude);
}
template <typename T>
[[gnu::target("arch=x86-64-v3")]] void bound_v3(const std::array<const T*, 4>& corners,
                                                const BoundTerms& terms, std::int64_t channels, double* bound,
                                                double* magnitude) {
  bound_loop(corners, terms, channels, bound, magnitude);
}

template <typename T, typename Scalar>
void value_any(const std::array<const T*, 4>& corners, const std::array<Scalar, 4>& weights,
               std::int64_t channels, Scalar* value) {
  switch (kLevel) {
    case Level::kV4:
      return value_v4(corners, weights, channels, value);
    case Level::kV3:
      return value_v3(corners, weights, channels, value);
    case Level::kBase:
      return value_loop(corners, weights, channels, value);
  }
}

template <typename T>
void bound_any(const std::array<const T*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude) {
  switch (kLevel) {
    case Level::kV4:
      return bound_v4(corners, terms, channels, bound, magnitude);
    case Level::kV3:
      return bound_v3(corners, terms, channels, bound, magnitude);
    case Level::kBase:
      return bound_loop(corners, terms, channels, bound, magnitude);
  }
}

}  // namespace
#else
namespace {

template <typename T, typename Scalar>
void value_any(const std::array<const T*, 4>& corners, const std::array<Scalar, 4>& weights,
               std::int64_t channels, Scalar* value) {
  value_loop(corners, weights, channels, value);
}

template <typename T>
void bound_any(const std::array<const T*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude) {
  bound_loop(corners, terms, channels, bound, magnitude);
}

}  // namespace
#endif

void add_value(const std::array<const float*, 4>& corners, const std::array<double, 4>& weights,
               std::int64_t channels, double* value) {
  value_any(corners, weights, channels, value);
}

void add_value(const std::array<const double*, 4>& corners, const std::array<long double, 4>& weights,
               std::int64_t channels, long double* value) {
  value_loop(corners, weights, channels, value);
}

void add_bound(const std::array<const float*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude) {
  bound_any(corners, terms, channels, bound, magnitude);
}

void add_bound(const std::array<const double*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude) {
  bound_any(corners, terms, channels, bound, magnitude);
}

}  // namespace deformdiff::ms_deform_attn
