// Which of several versions, old to new, is the first bad one, by binary search. Knows no implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace deformdiff::cli {

enum class Goodness : std::uint8_t { kGood, kBad, kSkipped };

struct Bisection {
  enum class End : std::uint8_t {
    kFound,
    kFirstIsBad,     ///< the oldest that can be tested is bad, and so is the newest
    kLastIsGood,     ///< the newest is good, and so is the oldest
    kNotMonotone,    ///< the oldest is bad and the newest is good
    kNothingTested,  ///< all were skipped
  };
  End end = End::kNothingTested;
  /// If found: the first bad one, or what may be it: some that were skipped and the first that is known to be
  /// bad. Else the version that says why not, if there is one.
  std::vector<std::size_t> versions;
};

/// Takes it that good versions come first and bad ones after them. Tests none twice.
Bisection bisect(std::size_t versions, const std::function<Goodness(std::size_t)>& test);

}  // namespace deformdiff::cli
