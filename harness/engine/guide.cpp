#include "engine/guide.h"

#include "core/random.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

namespace deformdiff {
namespace {

/// Candidates that are drawn for each case that is chosen: drawing is cheaper than running, not free.
constexpr std::size_t kCandidates = 8;

/// Elements of inputs beyond which a case is not chosen: many classes at once are easily had from a large
/// case, which takes the time of hundreds.
constexpr std::int64_t kMostElements = std::int64_t{1} << 18;

/// Cases whose neighbours are tried at a time, and how often without coming nearer.
constexpr std::size_t kMostNear = 16;
constexpr int kMostTries = 64;

/// Of the streams that are drawn from, beside the seed's own.
constexpr std::uint64_t kLabel = 0x67756964;  // "guid"

template <typename Take>
void each_pair(const std::vector<std::string>& classes, Take&& take) {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    for (std::size_t j = i; j < classes.size(); ++j) take(std::minmax(classes[i], classes[j]));
  }
}

}  // namespace

Guide::Guide(const BlockEntry& entry, const StreamChoice& choice, const Shard& shard)
    : entry_(entry), choice_(choice), keeps_sizes_(!choice.only.empty()) {
  choice_.seed = CounterRandom(choice.seed).stream(kLabel).bits(shard.index);
  counts_.block = entry.block->name();
}

void Guide::note_hit(const std::vector<std::string>& classes) {
  ++told_;
  each_pair(classes, [&](const auto& pair) { ++hits_[pair]; });
}

void Guide::note_ratio(const Case& c, double ratio) {
  // At the bound itself there is nothing to climb.
  if (!(ratio > 0) || ratio >= 1 || element_count(c) > kMostElements) return;
  if (near_.size() == kMostNear && ratio <= near_.back().ratio) return;
  if (c.provenance.generator == kMutant && ratio > nearest_) ++counts_.climbs;
  nearest_ = std::max(nearest_, ratio);
  const auto place = std::ranges::upper_bound(near_, ratio, std::greater(), &Near::ratio);
  near_.insert(place, {ratio, c});
  if (near_.size() > kMostNear) near_.pop_back();
}

std::vector<Case> Guide::next() {
  std::vector<Case> cases;
  const bool mutates = entry_.mutate && !near_.empty();
  add_rare(mutates ? kGuidedCases / 2 : kGuidedCases, cases);
  if (mutates) add_mutants(cases);
  counts_.cases += static_cast<std::int64_t>(cases.size());
  return cases;
}

/// How often the pair was hit that was hit least.
std::int64_t Guide::rarest(const std::vector<std::string>& classes) const {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  each_pair(classes, [&](const auto& pair) {
    const auto known = hits_.find(pair);
    least = std::min(least, known == hits_.end() ? 0 : known->second);
  });
  return least;
}

void Guide::add_rare(std::size_t most, std::vector<Case>& cases) {
  for (std::size_t i = 0; i < most; ++i) {
    std::optional<Case> best;
    std::vector<std::string> hit;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (std::size_t k = 0; k < kCandidates; ++k) {
      Case candidate = entry_.generator->generate(choice_, drawn_++);
      if (element_count(candidate) > kMostElements) continue;
      std::vector<std::string> classes = entry_.generator->triggers_hit(candidate);
      const std::int64_t rare = rarest(classes);
      if (best && rare >= least) continue;
      best = std::move(candidate);
      hit = std::move(classes);
      least = rare;
    }
    if (!best) continue;
    each_pair(hit, [&](const auto& pair) { counts_.pairs += hits_[pair]++ == 0 ? 1 : 0; });
    cases.push_back(std::move(*best));
  }
}

void Guide::add_mutants(std::vector<Case>& cases) {
  for (std::size_t tried = 0; cases.size() < kGuidedCases && tried < kGuidedCases && !near_.empty();
       ++tried) {
    const std::size_t which = mutants_ % near_.size();
    Near& parent = near_[which];
    const std::uint64_t key = CounterRandom(choice_.seed).stream(kLabel).bits(mutants_++);
    std::optional<Case> mutant = entry_.mutate(parent.problem, key, keeps_sizes_);
    if (++parent.tries == kMostTries) near_.erase(near_.begin() + static_cast<std::ptrdiff_t>(which));
    if (!mutant || element_count(*mutant) > kMostElements) continue;
    mutant->provenance.generator = kMutant;
    note_hit(entry_.generator->triggers_hit(*mutant));
    cases.push_back(std::move(*mutant));
  }
}

}  // namespace deformdiff
