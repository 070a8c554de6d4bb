// Vectors of the kernels' sources, and their loads from and stores to arrays of any element type. For GCC and
// Clang on any machine: a vector wider than its registers is several of them.
//
// Everything that the kernels' sources share is in unnamed namespaces and calls nothing of the standard
// library: each instruction set's translation unit needs copies of its own. A shared inline function could
// end up in its AVX-512 form in a program on a processor without AVX-512.
#pragma once

#include "subjects/ms_deform_attn/cpu/problem.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

template <typename Element, int Lanes>
struct VectorOf {
  using Type [[gnu::vector_size(Lanes * sizeof(Element)), gnu::aligned(alignof(Element)), gnu::may_alias]] =
      Element;
};

template <typename Element>
struct VectorOf<Element, 1> {
  using Type = Element;
};

/// Aligned as its elements are; one of a single element is that.
template <typename Element, int Lanes>
using Vector = typename VectorOf<Element, Lanes>::Type;

/// The same bits.
template <typename To, typename From>
[[gnu::always_inline]] inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

/// Element by element.
template <typename To, int Lanes, typename From>
[[gnu::always_inline]] inline Vector<To, Lanes> converted(From from) {
  if constexpr (Lanes == 1) {
    return static_cast<To>(from);
  } else {
    return __builtin_convertvector(from, Vector<To, Lanes>);
  }
}

/// IEEE 754 binary16 to binary32: exact, a NaN keeps its payload.
template <int Lanes>
[[gnu::always_inline]] inline Vector<float, Lanes> widened_float16(Vector<std::uint16_t, Lanes> half) {
#if defined(__F16C__)
  if constexpr (Lanes == 8) return bits_as<Vector<float, 8>>(_mm256_cvtph_ps(bits_as<__m128i>(half)));
#endif
#if defined(__AVX512F__)
  if constexpr (Lanes == 16)
    return bits_as<Vector<float, 16>>(_mm512_maskz_cvtph_ps(0xffff, bits_as<__m256i>(half)));
#endif
  using Bits = Vector<std::uint32_t, Lanes>;
  const Bits bits = converted<std::uint32_t, Lanes>(half);
  const Bits sign = (bits & 0x8000) << 16, exponent = bits & 0x7c00;
  // Exponents are 112 apart; those of infinity and NaN twice that. A subnormal is a multiple of 2^-24.
  const Bits normal = ((bits & 0x7fff) << 13) + (112U << 23), special = normal + (112U << 23);
  const Vector<std::int32_t, Lanes> fraction = bits_as<Vector<std::int32_t, Lanes>>(bits & 0x3ff);
  const Vector<float, Lanes> small = converted<float, Lanes>(fraction) * 0x1p-24F;
  const Bits magnitude = exponent == 0 ? bits_as<Bits>(small) : exponent == 0x7c00 ? special : normal;
  return bits_as<Vector<float, Lanes>>(sign | magnitude);
}

/// binary32 to binary16, to nearest, ties to even; a NaN stays one.
template <int Lanes>
[[gnu::always_inline]] inline Vector<std::uint16_t, Lanes> narrowed_float16(Vector<float, Lanes> number) {
#if defined(__F16C__)
  if constexpr (Lanes == 8) {
    return bits_as<Vector<std::uint16_t, 8>>(
        _mm256_cvtps_ph(bits_as<__m256>(number), _MM_FROUND_TO_NEAREST_INT));
  }
#endif
#if defined(__AVX512F__)
  if constexpr (Lanes == 16) {
    return bits_as<Vector<std::uint16_t, 16>>(
        _mm512_maskz_cvtps_ph(0xffff, bits_as<__m512>(number), _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  using Bits = Vector<std::uint32_t, Lanes>;
  const Bits bits = bits_as<Bits>(number), size = bits & 0x7fffffff;
  const Bits limit_of_normal = Bits{} + (113U << 23), beyond = Bits{} + (143U << 23),
             infinity = Bits{} + 0x7f800000U;
  // Adding 1/2 leaves a subnormal's multiple of 2^-24, rounded, in the last bits.
  const auto small = bits_as<Vector<float, Lanes>>(size < limit_of_normal ? size : Bits{}) + 0.5F;
  const Bits subnormal = bits_as<Bits>(small) - 0x3f000000U;
  const Bits normal = (size - (112U << 23) + 0xfff + (size >> 13 & 1)) >> 13;
  const Bits finite = size < limit_of_normal ? subnormal : size < beyond ? normal : Bits{} + 0x7c00U;
  const Bits magnitude = size > infinity ? Bits{} + 0x7e00U : finite;
  return converted<std::uint16_t, Lanes>((bits >> 16 & 0x8000) | magnitude);
}

template <int Lanes>
[[gnu::always_inline]] inline Vector<float, Lanes> widened_bfloat16(Vector<std::uint16_t, Lanes> half) {
  return bits_as<Vector<float, Lanes>>(converted<std::uint32_t, Lanes>(half) << 16);
}

/// binary32 to bfloat16, to nearest, ties to even; a NaN stays one.
template <int Lanes>
[[gnu::always_inline]] inline Vector<std::uint16_t, Lanes> narrowed_bfloat16(Vector<float, Lanes> number) {
  using Bits = Vector<std::uint32_t, Lanes>;
  const Bits bits = bits_as<Bits>(number), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Bits kept = number == number ? rounded : Bits{} + 0x7fc0U;
  return converted<std::uint16_t, Lanes>(kept);
}

/// As what is computed in, T: 16 bits as float.
template <typename T, int Lanes, typename Element>
[[gnu::always_inline]] inline Vector<T, Lanes> load(const Element* from) {
  using Half = Vector<std::uint16_t, Lanes>;
  if constexpr (std::is_same_v<Element, Float16>) {
    return widened_float16<Lanes>(*reinterpret_cast<const Half*>(from));
  } else if constexpr (std::is_same_v<Element, BFloat16>) {
    return widened_bfloat16<Lanes>(*reinterpret_cast<const Half*>(from));
  } else {
    return *reinterpret_cast<const Vector<T, Lanes>*>(from);
  }
}

template <typename T, int Lanes, typename Element>
[[gnu::always_inline]] inline void store(Vector<T, Lanes> vector, Element* to) {
  using Half = Vector<std::uint16_t, Lanes>;
  if constexpr (std::is_same_v<Element, Float16>) {
    *reinterpret_cast<Half*>(to) = narrowed_float16<Lanes>(vector);
  } else if constexpr (std::is_same_v<Element, BFloat16>) {
    *reinterpret_cast<Half*>(to) = narrowed_bfloat16<Lanes>(vector);
  } else {
    *reinterpret_cast<Vector<T, Lanes>*>(to) = vector;
  }
}

template <typename V, std::size_t... I>
[[gnu::always_inline]] inline auto every_second(V low, V high, std::size_t first, std::index_sequence<I...>) {
  return first == 0 ? __builtin_shufflevector(low, high, (2 * I)...)
                    : __builtin_shufflevector(low, high, (2 * I + 1)...);
}

/// The elements of even and of odd number of two vectors, one behind the other.
template <typename T, int Lanes>
[[gnu::always_inline]] inline void split_pairs(Vector<T, Lanes> low, Vector<T, Lanes> high,
                                               Vector<T, Lanes>& even, Vector<T, Lanes>& odd) {
  if constexpr (Lanes == 1) {
    even = low;
    odd = high;
  } else {
    even = every_second(low, high, 0, std::make_index_sequence<Lanes>());
    odd = every_second(low, high, 1, std::make_index_sequence<Lanes>());
  }
}

template <typename V, std::size_t... I>
[[gnu::always_inline]] inline auto halves_added(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (sizeof...(I) + I)...);
}

template <typename V, std::size_t... I>
[[gnu::always_inline]] inline auto half_of_pairs(V even, V odd, bool upper, std::index_sequence<I...>) {
  constexpr std::size_t kCount = sizeof...(I);
  return upper ? __builtin_shufflevector(even, odd, (kCount / 2 + I / 2 + I % 2 * kCount)...)
               : __builtin_shufflevector(even, odd, (I / 2 + I % 2 * kCount)...);
}

/// The inverse.
template <typename T, int Lanes>
[[gnu::always_inline]] inline void join_pairs(Vector<T, Lanes> even, Vector<T, Lanes> odd,
                                              Vector<T, Lanes>& low, Vector<T, Lanes>& high) {
  if constexpr (Lanes == 1) {
    low = even;
    high = odd;
  } else {
    low = half_of_pairs(even, odd, false, std::make_index_sequence<Lanes>());
    high = half_of_pairs(even, odd, true, std::make_index_sequence<Lanes>());
  }
}

/// work.operator()<Lanes>(i) for vectors that cover [0, count): of `Lanes` each, then halves of them down to
/// single elements.
template <int Lanes, typename Work>
[[gnu::always_inline]] inline void for_vectors(std::int64_t count, const Work& work, std::int64_t i = 0) {
  for (; i + Lanes <= count; i += Lanes) work.template operator()<Lanes>(i);
  if constexpr (Lanes > 1) {
    if (i < count) for_vectors<Lanes / 2>(count, work, i);
  }
}

/// Of a register.
template <typename T>
constexpr int kLanes = DEFORMDIFF_VECTOR_BYTES / sizeof(T);

/// Copies and converts.
template <typename T, typename From, typename To>
[[gnu::always_inline]] inline void copy(const From* from, std::int64_t count, To* to) {
  for_vectors<kLanes<T>>(
      count, [&]<int Lanes>(std::int64_t i) { store<T, Lanes>(load<T, Lanes>(from + i), to + i); });
}

/// work(Element{}) of the C++ type of `type`, one that is computed in T.
template <typename T, typename Work>
[[gnu::always_inline]] inline void with_element(ElementType type, const Work& work) {
  if constexpr (sizeof(T) == 8) {
    work(double{});
  } else if (type == ElementType::kFloat32) {
    work(float{});
  } else if (type == ElementType::kFloat16) {
    work(Float16{});
  } else {
    work(BFloat16{});
  }
}

/// `count` elements of `array`, from number `first` on, as T.
template <typename T>
[[gnu::always_inline]] inline void read_elements(ElementType type, const void* array, std::int64_t first,
                                                 std::int64_t count, T* to) {
  with_element<T>(type, [&]<typename Element>(Element) {
    copy<T>(static_cast<const Element*>(array) + first, count, to);
  });
}

/// These elements are read soon.
[[gnu::always_inline]] inline void fetch(ElementType type, const void* array, std::int64_t first,
                                         std::int64_t count) {
  constexpr std::int64_t kLine = 64;
  if (count == 0) return;  // of no memory at all
  const auto* begin = static_cast<const char*>(array) + first * bytes_of(type);
  const auto* last = begin + count * bytes_of(type) - 1;
  for (const char* line = begin; line < last; line += kLine) __builtin_prefetch(line);
  __builtin_prefetch(last);
}

/// Numbers into `array`, from element number `first` on.
template <typename T>
[[gnu::always_inline]] inline void write_elements(ElementType type, const T* from, std::int64_t count,
                                                  void* array, std::int64_t first) {
  with_element<T>(
      type, [&]<typename Element>(Element) { copy<T>(from, count, static_cast<Element*>(array) + first); });
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
