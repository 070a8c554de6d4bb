// The functions that device code calls without including anything: barriers, warp operations, atomics,
// mathematics, by CUDA's names. Device code is compiled with -fsanitize=thread; what is here is not.
#pragma once

#include "emulation/machine.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <math.h>
#include <type_traits>

#define DEFORMDIFF_UNSEEN __attribute__((no_sanitize("thread"), noinline))
#define DEFORMDIFF_SITE __builtin_return_address(0)

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
inline const uint3& threadIdx = deformdiff::emulation::indices.thread;
inline const uint3& blockIdx = deformdiff::emulation::indices.block;
inline const dim3& blockDim = deformdiff::emulation::indices.block_extent;
inline const dim3& gridDim = deformdiff::emulation::indices.grid_extent;
inline constexpr int warpSize = 32;

namespace deformdiff::emulation {

/// Where extern __shared__ arrays begin.
template <typename T>
DEFORMDIFF_UNSEEN T* dynamic_shared() {
  return static_cast<T*>(running_machine->dynamic_shared());
}

template <typename T>
DEFORMDIFF_UNSEEN std::uint64_t bits_of(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <typename T>
DEFORMDIFF_UNSEEN T value_of(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// `value` of lane `source` of the segment of `width` lanes that the thread is in; its own where that is
/// none.
template <typename T>
DEFORMDIFF_UNSEEN T shuffle(unsigned mask, T value, int source, bool is_inside, unsigned lane,
                            const void* site) {
  const unsigned from = is_inside ? static_cast<unsigned>(source) : lane;
  return value_of<T>(running_machine->warp({WarpOperation::kShuffle, mask, bits_of(value), from}, site));
}

inline unsigned lane_of_thread() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

DEFORMDIFF_UNSEEN inline std::uint32_t vote(unsigned mask, bool predicate, const void* site) {
  const WarpRequest request{WarpOperation::kVote, mask, predicate ? std::uint64_t{1} : 0};
  return static_cast<std::uint32_t>(running_machine->warp(request, site));
}

/// Changes *address to change(*address) and gives what was there.
template <typename T, typename Change>
DEFORMDIFF_UNSEEN T change_atomically(T* address, const Change& change, const void* site) {
  running_machine->access(address, sizeof(T), AccessKind::kAtomic, site);
  const T before = *address;
  *address = change(before);
  return before;
}

template <typename T>
using Same = std::type_identity_t<T>;

}  // namespace deformdiff::emulation

// ---- barriers and fences

DEFORMDIFF_UNSEEN inline void __syncthreads() {
  deformdiff::emulation::running_machine->barrier(DEFORMDIFF_SITE);
}
DEFORMDIFF_UNSEEN inline void __syncwarp(unsigned mask = 0xffffffff) {
  using namespace deformdiff::emulation;
  running_machine->warp({WarpOperation::kSync, mask}, DEFORMDIFF_SITE);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
[[noreturn]] DEFORMDIFF_UNSEEN inline void __trap() {
  deformdiff::emulation::running_machine->fail("traps", DEFORMDIFF_SITE);
}

// ---- warp operations

template <typename T>
DEFORMDIFF_UNSEEN T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = static_cast<int>(deformdiff::emulation::lane_of_thread());
  const int first = lane / width * width;
  return deformdiff::emulation::shuffle(mask, value, first + (source & (width - 1)), true, lane,
                                        DEFORMDIFF_SITE);
}
template <typename T>
DEFORMDIFF_UNSEEN T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = static_cast<int>(deformdiff::emulation::lane_of_thread());
  const int source = lane - static_cast<int>(delta);
  return deformdiff::emulation::shuffle(mask, value, source, source >= lane / width * width, lane,
                                        DEFORMDIFF_SITE);
}
template <typename T>
DEFORMDIFF_UNSEEN T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = static_cast<int>(deformdiff::emulation::lane_of_thread());
  const int source = lane + static_cast<int>(delta);
  return deformdiff::emulation::shuffle(mask, value, source, source < (lane / width + 1) * width, lane,
                                        DEFORMDIFF_SITE);
}
template <typename T>
DEFORMDIFF_UNSEEN T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int lane = static_cast<int>(deformdiff::emulation::lane_of_thread());
  const int source = lane ^ bits;
  return deformdiff::emulation::shuffle(mask, value, source, source < (lane / width + 1) * width, lane,
                                        DEFORMDIFF_SITE);
}
DEFORMDIFF_UNSEEN inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return deformdiff::emulation::vote(mask, predicate != 0, DEFORMDIFF_SITE);
}
DEFORMDIFF_UNSEEN inline int __any_sync(unsigned mask, int predicate) {
  return deformdiff::emulation::vote(mask, predicate != 0, DEFORMDIFF_SITE) != 0;
}
DEFORMDIFF_UNSEEN inline int __all_sync(unsigned mask, int predicate) {
  return deformdiff::emulation::vote(mask, predicate == 0, DEFORMDIFF_SITE) == 0;
}
/// Lanes that run together may be any that hold the caller: here it is alone.
DEFORMDIFF_UNSEEN inline unsigned __activemask() {
  return deformdiff::emulation::running_machine->active_lanes();
}
#define DEFORMDIFF_REDUCTION(name, type, expression)                                     \
  DEFORMDIFF_UNSEEN inline type name(unsigned mask, type value) {                        \
    using namespace deformdiff::emulation;                                               \
    const auto combine = [](std::uint64_t left, std::uint64_t right) -> std::uint64_t {  \
      const type a = value_of<type>(left), b = value_of<type>(right);                    \
      return bits_of<type>(expression);                                                  \
    };                                                                                   \
    const WarpRequest request{WarpOperation::kReduce, mask, bits_of(value), 0, combine}; \
    return value_of<type>(running_machine->warp(request, DEFORMDIFF_SITE));              \
  }
DEFORMDIFF_REDUCTION(__reduce_add_sync, unsigned, a + b)
DEFORMDIFF_REDUCTION(__reduce_min_sync, unsigned, a < b ? a : b)
DEFORMDIFF_REDUCTION(__reduce_max_sync, unsigned, a > b ? a : b)
DEFORMDIFF_REDUCTION(__reduce_and_sync, unsigned, a& b)
DEFORMDIFF_REDUCTION(__reduce_or_sync, unsigned, a | b)
DEFORMDIFF_REDUCTION(__reduce_xor_sync, unsigned, a ^ b)
#undef DEFORMDIFF_REDUCTION

// ---- atomics

#define DEFORMDIFF_ATOMIC(name, expression)                                    \
  template <typename T>                                                        \
  DEFORMDIFF_UNSEEN T name(T* address, deformdiff::emulation::Same<T> value) { \
    return deformdiff::emulation::change_atomically(                           \
        address, [&](T before) -> T { return expression; }, DEFORMDIFF_SITE);  \
  }
DEFORMDIFF_ATOMIC(atomicAdd, before + value)
DEFORMDIFF_ATOMIC(atomicSub, before - value)
DEFORMDIFF_ATOMIC(atomicExch, value)
DEFORMDIFF_ATOMIC(atomicMin, before < value ? before : value)
DEFORMDIFF_ATOMIC(atomicMax, before > value ? before : value)
DEFORMDIFF_ATOMIC(atomicAnd, before& value)
DEFORMDIFF_ATOMIC(atomicOr, before | value)
DEFORMDIFF_ATOMIC(atomicXor, before ^ value)
DEFORMDIFF_ATOMIC(atomicInc, before >= value ? T{0} : before + T{1})
DEFORMDIFF_ATOMIC(atomicDec, before == T{0} || before > value ? value : before - T{1})
#undef DEFORMDIFF_ATOMIC

template <typename T>
DEFORMDIFF_UNSEEN T atomicCAS(T* address, deformdiff::emulation::Same<T> expected,
                              deformdiff::emulation::Same<T> desired) {
  return deformdiff::emulation::change_atomically(
      address, [&](T before) { return before == expected ? desired : before; }, DEFORMDIFF_SITE);
}

/// Of vectors, each element by itself.
DEFORMDIFF_UNSEEN inline float2 atomicAdd(float2* address, float2 value) {
  return {atomicAdd(&address->x, value.x), atomicAdd(&address->y, value.y)};
}
DEFORMDIFF_UNSEEN inline float4 atomicAdd(float4* address, float4 value) {
  return {atomicAdd(&address->x, value.x), atomicAdd(&address->y, value.y), atomicAdd(&address->z, value.z),
          atomicAdd(&address->w, value.w)};
}

// ---- loads and stores that the device caches in its own ways

#define DEFORMDIFF_LOAD(name)                                      \
  template <typename T>                                            \
  __attribute__((always_inline)) inline T name(const T* address) { \
    return *address;                                               \
  }
DEFORMDIFF_LOAD(__ldg)
DEFORMDIFF_LOAD(__ldca)
DEFORMDIFF_LOAD(__ldcg)
DEFORMDIFF_LOAD(__ldcs)
DEFORMDIFF_LOAD(__ldlu)
DEFORMDIFF_LOAD(__ldcv)
#undef DEFORMDIFF_LOAD
#define DEFORMDIFF_STORE(name)                                                                        \
  template <typename T>                                                                               \
  __attribute__((always_inline)) inline void name(T* address, deformdiff::emulation::Same<T> value) { \
    *address = value;                                                                                 \
  }
DEFORMDIFF_STORE(__stwb)
DEFORMDIFF_STORE(__stcg)
DEFORMDIFF_STORE(__stcs)
DEFORMDIFF_STORE(__stwt)
#undef DEFORMDIFF_STORE

// ---- mathematics: <math.h> has the rest

template <typename A, typename B>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>) constexpr std::common_type_t<A, B> min(A a, B b) {
  using Both = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<Both>) return fmin(static_cast<Both>(a), static_cast<Both>(b));
  return static_cast<Both>(a) < static_cast<Both>(b) ? static_cast<Both>(a) : static_cast<Both>(b);
}
template <typename A, typename B>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>) constexpr std::common_type_t<A, B> max(A a, B b) {
  using Both = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<Both>) return fmax(static_cast<Both>(a), static_cast<Both>(b));
  return static_cast<Both>(a) > static_cast<Both>(b) ? static_cast<Both>(a) : static_cast<Both>(b);
}
inline float rsqrtf(float x) {
  return 1 / sqrtf(x);
}
inline double rsqrt(double x) {
  return 1 / sqrt(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __powf(float x, float y) {
  return powf(x, y);
}
inline float __sinf(float x) {
  return sinf(x);
}
inline float __cosf(float x) {
  return cosf(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __frcp_rn(float x) {
  return 1 / x;
}
inline float __fsqrt_rn(float x) {
  return sqrtf(x);
}
inline float __saturatef(float x) {
  return fminf(fmaxf(x, 0), 1);
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fsub_rn(float x, float y) {
  return x - y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return fmaf(x, y, z);
}
inline double __dadd_rn(double x, double y) {
  return x + y;
}
inline double __dmul_rn(double x, double y) {
  return x * y;
}
inline double __fma_rn(double x, double y, double z) {
  return fma(x, y, z);
}

/// To an integer as the device does it: NaN gives 0, what is out of range the nearest limit.
template <typename Integer, typename Float>
constexpr Integer deformdiff_saturated(Float x) {
  constexpr auto kLeast = std::numeric_limits<Integer>::min();
  constexpr auto kGreatest = std::numeric_limits<Integer>::max();
  if (!(x == x)) return 0;
  if (x <= static_cast<Float>(kLeast)) return kLeast;
  if (x >= static_cast<Float>(kGreatest)) return kGreatest;
  return static_cast<Integer>(x);
}
inline int __float2int_rd(float x) {
  return deformdiff_saturated<int>(floorf(x));
}
inline int __float2int_ru(float x) {
  return deformdiff_saturated<int>(ceilf(x));
}
inline int __float2int_rn(float x) {
  return deformdiff_saturated<int>(rintf(x));
}
inline int __float2int_rz(float x) {
  return deformdiff_saturated<int>(truncf(x));
}
inline int __double2int_rd(double x) {
  return deformdiff_saturated<int>(floor(x));
}
inline int __double2int_rn(double x) {
  return deformdiff_saturated<int>(rint(x));
}
inline int __double2int_rz(double x) {
  return deformdiff_saturated<int>(trunc(x));
}
inline float __int2float_rn(int x) {
  return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x) {
  return static_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline long long __double_as_longlong(double x) {
  return std::bit_cast<long long>(x);
}
inline double __longlong_as_double(long long x) {
  return std::bit_cast<double>(x);
}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __popcll(unsigned long long x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= (x >> i & 1) << (31 - i);
  return reversed;
}
inline int __mul24(int x, int y) {
  return x * y;
}
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(std::uint64_t{x} * y >> 32);
}
// NOLINTEND(readability-identifier-naming)
