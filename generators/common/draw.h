// Drawing structure and parameters from RapidCheck's generators, one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include <rapidcheck/Gen.h>
#include <rapidcheck/gen/Numeric.h>

namespace deformdiff {

/// A sequence of draws that is a function of its seed alone.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  template <typename T>
  T from(const rc::Gen<T>& generator) {
    return generator(random_.split(), rc::kNominalSize).value();
  }

  /// Uniform, both ends included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return from(rc::gen::inRange<std::int64_t>(low, high + 1));
  }

  bool chance(int percent) { return between(0, 99) < percent; }

  template <typename T>
  T one_of(const std::vector<T>& elements) {
    return elements[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(elements.size()) - 1))];
  }

  /// Index of a share, drawn in proportion to the shares.
  std::size_t share_of(const std::vector<int>& shares) {
    std::int64_t total = 0;
    for (const int share : shares) total += share;
    std::int64_t at = between(0, total - 1);
    std::size_t index = 0;
    while (at >= shares[index]) at -= shares[index++];
    return index;
  }

  /// 2^k times a number in [1, 2), k uniform: as likely small as large. Requires 1 <= low < high.
  std::int64_t magnitude(std::int64_t low, std::int64_t high) {
    std::int64_t top = low;
    const auto octaves = [&] {
      int count = 0;
      for (std::int64_t x = low; x < high; x *= 2) ++count;
      return count;
    }();
    for (std::int64_t k = between(0, octaves - 1); k > 0; --k) top *= 2;
    const std::int64_t drawn = between(top, 2 * top - 1);
    return drawn < high ? drawn : high;
  }

 private:
  rc::Random random_;
};

}  // namespace deformdiff
