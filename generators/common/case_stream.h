// Which tiers a stream of cases is drawn from, and its random numbers.
#pragma once

#include "core/generator.h"
#include "core/random.h"

#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// FNV-1a.
std::uint64_t hash_of(std::string_view text);

/// Those of `tiers` that are named, in their order; all for none. Throws InputError for an unknown name.
std::vector<Tier> choose_tiers(const std::vector<Tier>& tiers, const std::vector<std::string>& names);

/// A stream of its own for each seed, block and choice of tiers.
CounterRandom case_stream(std::uint64_t seed, std::string_view block, const std::vector<Tier>& chosen);

}  // namespace deformdiff
