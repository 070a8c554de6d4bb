// CUDA's vector types, by their names and with their alignment on the device.
#pragma once

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
#define DEFORMDIFF_VECTOR_TYPES(scalar, name, two, four)                  \
  struct name##1 {                                                        \
    scalar x;                                                             \
  };                                                                      \
  struct alignas(two) name##2 {                                           \
    scalar x, y;                                                          \
  };                                                                      \
  struct name##3 {                                                        \
    scalar x, y, z;                                                       \
  };                                                                      \
  struct alignas(four) name##4 {                                          \
    scalar x, y, z, w;                                                    \
  };                                                                      \
  inline name##1 make_##name##1(scalar x) {                               \
    return {x};                                                           \
  }                                                                       \
  inline name##2 make_##name##2(scalar x, scalar y) {                     \
    return {x, y};                                                        \
  }                                                                       \
  inline name##3 make_##name##3(scalar x, scalar y, scalar z) {           \
    return {x, y, z};                                                     \
  }                                                                       \
  inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { \
    return {x, y, z, w};                                                  \
  }

DEFORMDIFF_VECTOR_TYPES(signed char, char, 2, 4)
DEFORMDIFF_VECTOR_TYPES(unsigned char, uchar, 2, 4)
DEFORMDIFF_VECTOR_TYPES(short, short, 4, 8)
DEFORMDIFF_VECTOR_TYPES(unsigned short, ushort, 4, 8)
DEFORMDIFF_VECTOR_TYPES(int, int, 8, 16)
DEFORMDIFF_VECTOR_TYPES(unsigned, uint, 8, 16)
DEFORMDIFF_VECTOR_TYPES(long long, longlong, 16, 16)
DEFORMDIFF_VECTOR_TYPES(unsigned long long, ulonglong, 16, 16)
DEFORMDIFF_VECTOR_TYPES(float, float, 8, 16)
DEFORMDIFF_VECTOR_TYPES(double, double, 16, 16)
#undef DEFORMDIFF_VECTOR_TYPES

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
// NOLINTEND(readability-identifier-naming)
