// How small an error is still caught: results of a correct implementation, scaled by 1 + e, judged again.
#pragma once

#include "engine/block_entry.h"
#include "engine/subject.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff::cli {

/// Of the cases of one tier and precision that agree as they are.
struct Sharpness {
  std::string tier;
  DType dtype;
  std::int64_t cases = 0;
  double always = 0;  ///< smallest power of ten that is caught in every case; above 1 if none is
  double mostly = 0;  ///< and in half of them
};

/// Runs cases 0 .. cases-1 of (seed, all tiers) in float32 and float64 on the subject.
std::vector<Sharpness> measure_sharpness(Subject& subject, const BlockEntry& entry, std::uint64_t seed,
                                         std::int64_t cases, int threads, std::int64_t memory_limit);

}  // namespace deformdiff::cli
