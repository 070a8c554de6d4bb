// Elements in memory and what is computed with: 16-bit types in float32, 16 bytes at a time where they lie
// so.
#pragma once

#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace deformdiff::worker::ms_deform_attn {

template <typename T>
struct ArithmeticOf {
  using Type = float;
};
template <>
struct ArithmeticOf<double> {
  using Type = double;
};
/// What elements of T are computed in.
template <typename T>
using Arithmetic = typename ArithmeticOf<T>::Type;

__device__ inline double widened(double x) {
  return x;
}
__device__ inline float widened(float x) {
  return x;
}
__device__ inline float widened(__half x) {
  return __half2float(x);
}
__device__ inline float widened(__nv_bfloat16 x) {
  return __bfloat162float(x);
}

template <typename T>
__device__ T narrowed(Arithmetic<T> x);
template <>
__device__ inline double narrowed<double>(double x) {
  return x;
}
template <>
__device__ inline float narrowed<float>(float x) {
  return x;
}
template <>
__device__ inline __half narrowed<__half>(float x) {
  return __float2half(x);
}
template <>
__device__ inline __nv_bfloat16 narrowed<__nv_bfloat16>(float x) {
  return __float2bfloat16(x);
}

/// Elements of T in 16 bytes.
template <typename T>
inline constexpr int kFullWidth = 16 / static_cast<int>(sizeof(T));

/// kWidth neighbouring elements, 1 or kFullWidth<T>, of memory that the kernel does not write.
template <typename T, int kWidth>
__device__ void load(const T* address, Arithmetic<T> (&numbers)[kWidth]) {
  if constexpr (kWidth == 1) {
    numbers[0] = widened(__ldg(address));
  } else {
    const uint4 bits = __ldg(reinterpret_cast<const uint4*>(address));
    T elements[kWidth];
    memcpy(elements, &bits, sizeof bits);
    for (int i = 0; i < kWidth; ++i) numbers[i] = widened(elements[i]);
  }
}

template <typename T, int kWidth>
__device__ void store(T* address, const Arithmetic<T> (&numbers)[kWidth]) {
  if constexpr (kWidth == 1) {
    *address = narrowed<T>(numbers[0]);
  } else {
    T elements[kWidth];
    for (int i = 0; i < kWidth; ++i) elements[i] = narrowed<T>(numbers[i]);
    uint4 bits;
    memcpy(&bits, elements, sizeof bits);
    *reinterpret_cast<uint4*>(address) = bits;
  }
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
inline constexpr bool kAddsVectors = true;
#else
inline constexpr bool kAddsVectors = false;
#endif

/// Adds each number atomically; four float32 at a time where the device can and they are aligned to that.
template <typename A, int kWidth>
__device__ void add(A* address, const A (&numbers)[kWidth]) {
  if constexpr (kAddsVectors && sizeof(A) == 4 && kWidth % 4 == 0) {
    for (int i = 0; i < kWidth; i += 4) {
      atomicAdd(reinterpret_cast<float4*>(address + i),
                make_float4(numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]));
    }
  } else {
    for (int i = 0; i < kWidth; ++i) atomicAdd(address + i, numbers[i]);
  }
}

}  // namespace deformdiff::worker::ms_deform_attn
