// Rule 7 of oracles/README.md: when an agreement shows nothing. The reasons for the numbers are there.
#pragma once

#include "core/reference.h"

#include <cstdint>
#include <string_view>

namespace deformdiff {

/// What makes an element's set narrow, and how many must be.
struct TellingRule {
  double narrow;               ///< a set is narrow if its bound is at most so much of the element's scale
  std::int64_t least_percent;  ///< of the elements that are reached must tell
  bool estimated;

  bool is_narrow(double bound, double scale) const { return bound <= narrow * scale; }
};

/// Sets that an oracle derives: an element's scale is the sum of the magnitudes behind it.
constexpr TellingRule kDerivedSets{1e-3, 1, false};
/// The same where every step rounds to 16 bits.
constexpr TellingRule kSixteenBitSets{0x1p-4, 1, false};
/// Sets that are estimated from draws: the scale is the root mean square of the whole output.
constexpr TellingRule kEstimatedSets{1e-2, 50, true};

/// The rule of derived sets for arithmetic of this unit roundoff.
constexpr const TellingRule& derived_sets(double unit) {
  return unit > 0x1p-16 ? kSixteenBitSets : kDerivedSets;
}

/// What is counted of an output's elements.
struct Tally {
  std::int64_t telling = 0;  ///< a fault would show: the set is narrow, or demands a NaN or an infinity
  std::int64_t reached = 0;  ///< something of the inputs gets there
  std::int64_t nonzero = 0;  ///< another answer than 0 is expected
  std::int64_t total = 0;

  void count(bool tells, bool is_reached, bool is_nonzero);
  Tally& operator+=(const Tally& other);
};

/// Fills in the reference's counts, and in `vacuous` why an agreement would prove nothing. `elements` says
/// which ones are reached.
void tell(const Tally& tally, const TellingRule& rule, Reference& reference,
          std::string_view elements = "elements");

}  // namespace deformdiff
