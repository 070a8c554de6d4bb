// Distribution of error / bound over elements, in constant memory.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace deformdiff {

/// Eight bins an octave from 2^-24 up to 2^8; the maximum is kept exactly.
class RatioHistogram {
 public:
  static constexpr int kOctaves = 32;
  static constexpr int kBins = kOctaves * 8 + 2;
  using Counts = std::array<std::int64_t, kBins>;

  RatioHistogram() = default;
  RatioHistogram(const Counts& counts, double max) : counts_(counts), max_(max) {}

  /// By bin, ascending; the first and the last hold what is beyond the others.
  const Counts& counts() const { return counts_; }

  /// Adds ratios, none negative or NaN; `largest` is the largest of them before rounding to float.
  void add(std::span<const float> ratios, double largest) {
    for (const float ratio : ratios) ++counts_[bin_of(ratio)];
    if (largest > max_) max_ = largest;
  }
  void add(const RatioHistogram& other);

  std::int64_t total() const;

  struct Bin {
    double upper;  ///< edge; infinity of the last bin
    std::int64_t count;
    friend bool operator==(const Bin&, const Bin&) = default;
  };

  /// All of them, ascending; a bin begins where the one before it ends, the first at 0.
  std::vector<Bin> bins() const;

  double max() const { return max_; }

  /// Upper edge of the bin that holds the q-th part of the elements, 0 < q <= 1, but never above max();
  /// 0 if there are none.
  double quantile(double q) const;

 private:
  static constexpr int kLowest = -24;

  static double upper_edge(int bin);

  static int bin_of(float ratio) {
    // Exponent and the three leading significand bits of the float are the bin.
    const auto bits = std::bit_cast<std::uint32_t>(ratio) >> 20;
    const int bin = static_cast<int>(bits) - (127 + kLowest) * 8 + 1;
    return bin < 0 ? 0 : bin >= kBins ? kBins - 1 : bin;
  }

  Counts counts_{};
  double max_ = 0;
};

}  // namespace deformdiff
