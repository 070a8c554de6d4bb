#include "generators/common/case_stream.h"

#include "core/error.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::uint64_t kSiblingPeriod = 12, kSiblingPlace = 11;
constexpr std::uint64_t kLayoutPeriod = 8, kLayoutPlace = 1;
// What both periods divide by tells layouts' turns from siblings and from the cases that these repeat, and
// odd indices from large cases.
static_assert(kSiblingPeriod % 4 == 0 && kLayoutPeriod % 4 == 0 && kLayoutPlace % 2 == 1);
static_assert(kLayoutPlace % 4 != kSiblingPlace % 4 && kLayoutPlace % 4 != (kSiblingPlace - 1) % 4);

/// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

std::vector<Tier> choose_tiers(const std::vector<Tier>& tiers, const std::vector<std::string>& names) {
  std::vector<Tier> chosen;
  if (names.empty()) {
    std::ranges::copy_if(tiers, std::back_inserter(chosen), [](const Tier& tier) { return tier.share > 0; });
    return chosen;
  }
  std::vector<std::string> known;
  for (const Tier& tier : tiers) known.push_back(tier.name);
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw InputError(fmt::format("tier '{}' is unknown; known: {}", name, fmt::join(known, ", ")));
  }
  for (const Tier& tier : tiers) {
    if (std::ranges::find(names, tier.name) == names.end()) continue;
    chosen.push_back(tier);
    chosen.back().share = std::max(1, tier.share);
  }
  return chosen;
}

const std::string& draw_tier(const std::vector<Tier>& chosen, Draw& draw) {
  std::vector<int> shares;
  for (const Tier& tier : chosen) shares.push_back(tier.share);
  return chosen[draw.share_of(shares)].name;
}

CounterRandom case_stream(const StreamChoice& choice, std::string_view block,
                          const std::vector<Tier>& chosen) {
  CounterRandom stream = CounterRandom(choice.seed).stream(hash_of(block));
  for (const Tier& tier : chosen) stream = stream.stream(hash_of(tier.name));
  return choice.only.empty() ? stream : stream.stream(hash_of(choice.only));
}

std::string origin_of(const StreamChoice& choice) {
  return choice.only.empty() ? "fuzz" : fmt::format("fuzz --only {}", choice.only);
}

bool is_large(std::uint64_t period, const CounterRandom& stream, std::uint64_t index) {
  const std::uint64_t half = period / 2, at = index / 2;
  return index % 2 == 0 && at % half == stream.stream(1).below(at / half, half);
}

bool is_sibling(std::uint64_t index) {
  return index % kSiblingPeriod == kSiblingPlace;
}

std::optional<std::uint64_t> layout_turn(std::uint64_t index) {
  if (index % kLayoutPeriod != kLayoutPlace) return std::nullopt;
  return index / kLayoutPeriod;
}

}  // namespace deformdiff
