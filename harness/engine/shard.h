// Which cases of a run are this machine's.
#pragma once

#include <cstdint>
#include <string>

namespace deformdiff {

/// Consecutive cases that stay together: as many as a batch holds. It is even, so that no case that repeats
/// the one before it (an odd one) is the first.
constexpr std::uint64_t kShardCases = 64;

/// One of `count` parts of a run that need not know of each other: chunks of kShardCases go round.
struct Shard {
  std::uint64_t index = 0;  ///< from 0
  std::uint64_t count = 1;

  bool owns(std::uint64_t c) const { return c / kShardCases % count == index; }

  /// First case from `c` on that the shard owns.
  std::uint64_t next_owned(std::uint64_t c) const {
    if (owns(c)) return c;
    const std::uint64_t chunk = c / kShardCases;
    return (chunk + (index + count - chunk % count) % count) * kShardCases;
  }

  /// How many of the cases 0 .. total-1 it owns.
  std::uint64_t cases_of(std::uint64_t total) const {
    const std::uint64_t round = kShardCases * count;
    const std::uint64_t rest = total % round, before = index * kShardCases;
    const std::uint64_t of_rest = rest <= before                ? 0
                                  : rest - before < kShardCases ? rest - before
                                                                : kShardCases;
    return total / round * kShardCases + of_rest;
  }

  /// End of the cases from `c` on, which it owns, that follow each other.
  std::uint64_t end_of(std::uint64_t c, std::uint64_t total) const {
    if (count == 1) return total;
    const std::uint64_t end = (c / kShardCases + 1) * kShardCases;
    return end < total ? end : total;
  }

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// As it is typed: "1/4" is the first of four.
inline std::string text_of(const Shard& shard) {
  return std::to_string(shard.index + 1) + "/" + std::to_string(shard.count);
}

}  // namespace deformdiff
