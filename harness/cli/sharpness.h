// How small an error is still caught: results of a correct implementation, scaled by 1 + e, judged again.
#pragma once

#include "engine/block_entry.h"
#include "engine/subject.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace deformdiff::cli {

/// Relative errors injected into every element of float32 results.
constexpr std::array<double, 2> kInjected{1e-4, 1e-6};

struct Sharpness {
  std::int64_t cases = 0;          ///< float32 cases that agree as they are
  std::int64_t typical_cases = 0;  ///< of them, those of the tier `typical`
  std::array<std::int64_t, 2> caught{};
  std::array<std::int64_t, 2> typical_caught{};
  std::array<std::optional<std::uint64_t>, 2> first_caught{};  ///< index in the stream
  /// Of cases where the smallest injected error stays inside the bound: the bound's largest term at the
  /// element that comes closest to its edge.
  std::map<std::string, std::int64_t> dominant_terms;
};

/// Runs cases 0 .. cases-1 of (seed, all tiers) on the subject.
Sharpness measure_sharpness(Subject& subject, const BlockEntry& entry, std::uint64_t seed, std::int64_t cases,
                            int threads, std::int64_t memory_limit);

}  // namespace deformdiff::cli
