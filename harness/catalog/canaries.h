// The faults and the right-but-different code by which runs measure themselves.
#pragma once

#include "engine/block_entry.h"
#include "engine/session_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Cases within which every fault of the operator, and of a deep block, must be found, as the tests of the
/// faults have it; and those of a tier that is drawn for one fault alone, and whose cases take long.
constexpr std::int64_t kCasesForFaults = 5000;
constexpr std::int64_t kCasesForDeepFaults = 200;
constexpr std::int64_t kCasesOfNamedTier = 10;

/// The tier without whose cases a fault cannot show; empty if those that are drawn unnamed show it.
std::string tier_of(const SubjectInfo& fault, const Generator& generator);

/// All that do the block and can show in these tiers (empty: those that are drawn unnamed), one of each
/// verdict due after the other, so that a short run meets every kind. Asks a worker: throws as
/// faults_and_controls().
std::vector<CanarySpec> canaries_of(const BlockEntry& entry, const std::vector<std::string>& tiers);

}  // namespace deformdiff
