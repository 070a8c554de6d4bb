// Cases until two trigger classes are hit together, with and without guided cases: what finds a bug that
// shows only where both are. No implementation is run, so guidance has no ratio to climb: its mutants are of
// arbitrary cases.
#include "catalog/catalog.h"
#include "core/random.h"
#include "engine/guide.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace deformdiff {
namespace {

using Pair = std::pair<std::string, std::string>;
using FirstHits = std::map<Pair, std::uint64_t>;

constexpr std::uint64_t kCases = 1000;
constexpr std::uint64_t kSeeds = 20;
constexpr std::size_t kPairs = 20;

/// Cases of the stream for a guided batch of kGuidedCases, at 30 % for guidance.
constexpr std::uint64_t kBetween = kGuidedCases * 70 / 30;

/// Seeds on whose streams pairs are chosen; others are measured, or chance alone would help.
constexpr std::uint64_t kChoosing = 1000;

void note(FirstHits& first, const std::vector<std::string>& classes, std::uint64_t at) {
  for (const std::string& a : classes) {
    for (const std::string& b : classes) {
      if (a < b) first.try_emplace({a, b}, at);
    }
  }
}

/// How many cases were given until each pair was hit.
FirstHits first_hits(const BlockEntry& entry, std::uint64_t seed, bool guided) {
  const StreamChoice choice{seed, {}, {}};
  Guide guide(entry, choice, {});
  FirstHits first;
  for (std::uint64_t given = 0, index = 0; given < kCases;) {
    const Case c = entry.generator->generate(choice, index++);
    const std::vector<std::string> hit = entry.generator->triggers_hit(c);
    note(first, hit, ++given);
    if (!guided) continue;
    guide.note_hit(hit);
    guide.note_ratio(c, CounterRandom(seed).uniform(index));
    if (index % kBetween != 0) continue;
    for (const Case& other : guide.next()) note(first, entry.generator->triggers_hit(other), ++given);
  }
  return first;
}

/// Those that few of the choosing streams hit early, and at least half hit at all.
std::vector<Pair> rare_pairs(const BlockEntry& entry) {
  std::map<Pair, std::vector<std::uint64_t>> hits;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (const auto& [pair, at] : first_hits(entry, kChoosing + seed, false)) hits[pair].push_back(at);
  }
  std::vector<std::pair<double, Pair>> ranked;
  for (const auto& [pair, at] : hits) {
    if (at.size() < kSeeds / 2) continue;
    double sum = static_cast<double>((kSeeds - at.size()) * kCases);
    for (const std::uint64_t each : at) sum += static_cast<double>(each);
    ranked.emplace_back(-sum, pair);
  }
  std::ranges::sort(ranked);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < std::min(kPairs, ranked.size()); ++i) pairs.push_back(ranked[i].second);
  return pairs;
}

/// Of the seeds; kCases + 1 where most do not hit it.
std::uint64_t median(std::vector<std::uint64_t> hits) {
  hits.resize(kSeeds, kCases + 1);
  std::ranges::sort(hits);
  return (hits[kSeeds / 2 - 1] + hits[kSeeds / 2]) / 2;
}

void measure(const BlockEntry& entry) {
  const std::vector<Pair> pairs = rare_pairs(entry);
  std::map<Pair, std::vector<std::uint64_t>> alone, guided;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const auto& [pair, at] : first_hits(entry, seed, false)) alone[pair].push_back(at);
    for (const auto& [pair, at] : first_hits(entry, seed, true)) guided[pair].push_back(at);
  }
  fmt::print("{}: medians of {} seeds, of at most {} cases\n{:<56} {:>7} {:>7}\n", entry.block->name(),
             kSeeds, kCases, "classes", "alone", "guided");
  for (const Pair& pair : pairs) {
    fmt::print("{:<56} {:>7} {:>7}\n", pair.first + ", " + pair.second, median(alone[pair]),
               median(guided[pair]));
  }
}

}  // namespace
}  // namespace deformdiff

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "guidance_pairs BLOCK\n");
    return 2;
  }
  deformdiff::measure(deformdiff::find_block(argv[1]));
}
