// What nvcc gives to device code without any #include, for g++ and clang++: include it before a .cuh. Compile
// with -fsanitize=thread and link deformdiff_emulation instead of ThreadSanitizer (README.md).
#pragma once

// A kernel asserts its launch assumptions, in release builds too.
#undef NDEBUG

#include "emulation/device_functions.h"
#include "emulation/launch.h"
#include "emulation/vector_types.h"

// g++ tells of no store of a structure that a function returns right into memory. So nothing is left to call.
#define __global__ __attribute__((flatten))
#define __device__
#define __host__
#define __constant__
#define __managed__
// Within a function that implies static: one for each function, as on the device. Threads of a block share
// the host's thread.
#define __shared__ thread_local
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)
