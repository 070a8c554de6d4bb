// Eight doubles beside each other, and one binary for every machine: work on them is compiled for three
// instruction sets. No contraction: the same bits whichever is used.
#pragma once

#include <cstdint>
#include <cstring>

// Vectors are passed only between functions that are inlined: their calling convention is of no matter.
#pragma GCC diagnostic ignored "-Wpsabi"

#define DEFORMDIFF_INLINE [[gnu::always_inline]] inline

namespace deformdiff {

constexpr std::int64_t kLanes = 8;

/// The compiler cuts these to the machine's registers.
using Lanes = double __attribute__((vector_size(kLanes * sizeof(double))));
using FloatLanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using LaneBits = std::int64_t __attribute__((vector_size(kLanes * sizeof(std::int64_t))));

DEFORMDIFF_INLINE Lanes load(const double* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
DEFORMDIFF_INLINE Lanes load(const float* from) {
  FloatLanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return __builtin_convertvector(lanes, Lanes);
}
DEFORMDIFF_INLINE void store(const Lanes& lanes, double* to) {
  std::memcpy(to, &lanes, sizeof lanes);
}
DEFORMDIFF_INLINE Lanes magnitude_of(const Lanes& t) {
  return reinterpret_cast<Lanes>(reinterpret_cast<LaneBits>(t) & INT64_MAX);
}
DEFORMDIFF_INLINE Lanes larger(const Lanes& a, const Lanes& b) {
  return a > b ? a : b;
}
DEFORMDIFF_INLINE Lanes smaller(const Lanes& a, const Lanes& b) {
  return a < b ? a : b;
}

#if defined(__x86_64__) && defined(__GNUC__)

enum class Level { kBase, kV3, kV4 };

inline Level machine_level() {
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

inline const Level kLevel = machine_level();

template <typename Work, typename... Arguments>
[[gnu::target("arch=x86-64-v4")]] void run_v4(Arguments... arguments) {
  Work::run(arguments...);
}
template <typename Work, typename... Arguments>
[[gnu::target("arch=x86-64-v3")]] void run_v3(Arguments... arguments) {
  Work::run(arguments...);
}

/// Calls Work::run, which must be DEFORMDIFF_INLINE, compiled for this machine.
template <typename Work, typename... Arguments>
void run_on_lanes(Arguments... arguments) {
  switch (kLevel) {
    case Level::kV4:
      return run_v4<Work>(arguments...);
    case Level::kV3:
      return run_v3<Work>(arguments...);
    case Level::kBase:
      return Work::run(arguments...);
  }
}

#else

template <typename Work, typename... Arguments>
void run_on_lanes(Arguments... arguments) {
  Work::run(arguments...);
}

#endif

}  // namespace deformdiff
