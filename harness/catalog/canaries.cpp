#include "catalog/canaries.h"

#include "catalog/addresses.h"
#include "catalog/catalog.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace deformdiff {
namespace {

std::int64_t enough_cases(const SubjectInfo& fault, const BlockEntry& entry, bool deep) {
  if (!tier_of(fault, *entry.generator).empty()) return kCasesOfNamedTier;
  return deep ? kCasesForDeepFaults : kCasesForFaults;
}

}  // namespace

std::string tier_of(const SubjectInfo& fault, const Generator& generator) {
  const std::vector<TriggerClass> classes = generator.triggers();
  const auto trigger = std::ranges::find(classes, fault.trigger, &TriggerClass::name);
  return trigger == classes.end() ? "" : trigger->tier;
}

std::vector<CanarySpec> canaries_of(const BlockEntry& entry, const std::vector<std::string>& tiers) {
  const bool deep = is_deep(entry);
  std::map<std::string, std::size_t> met;
  std::multimap<std::size_t, CanarySpec> canaries;  // by how many with the same verdict come before
  for (const SubjectInfo& info : faults_and_controls().subjects) {
    const std::string tier = tier_of(info, *entry.generator);
    const bool shows = tier.empty() || std::ranges::find(tiers, tier) != tiers.end();
    if (!shows || !info.blocks.contains(entry.block->name())) continue;
    canaries.emplace(met[info.expected]++,
                     CanarySpec{parse_subject(info.name), info, enough_cases(info, entry, deep)});
  }
  std::vector<CanarySpec> ordered;
  for (auto& [before, canary] : canaries) ordered.push_back(std::move(canary));
  return ordered;
}

}  // namespace deformdiff
