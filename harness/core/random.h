// Counter-based random numbers: bit-identical on every platform, and element i needs no element before it.
#pragma once

#include <cstdint>

namespace deformdiff {

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// A stream of independent 64-bit words addressed by index.
class CounterRandom {
 public:
  explicit constexpr CounterRandom(std::uint64_t key) : key_(mix_bits(key + kGolden)) {}

  /// A stream of its own for each `label`, independent of this one's words.
  constexpr CounterRandom stream(std::uint64_t label) const {
    return CounterRandom(key_ ^ mix_bits(label + kGolden));
  }

  constexpr std::uint64_t bits(std::uint64_t index) const { return mix_bits(key_ + (index + 1) * kGolden); }

  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
  }

  /// Uniform in [0, n). The bias is below n / 2^32. Requires 0 < n < 2^32.
  constexpr std::uint64_t below(std::uint64_t index, std::uint64_t n) const {
    return ((bits(index) >> 32) * n) >> 32;
  }

 private:
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
  std::uint64_t key_;
};

}  // namespace deformdiff
