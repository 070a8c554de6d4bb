#include "engine/ablate.h"

#include "engine/number_kinds.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace deformdiff {
namespace {

CaseStream single(std::optional<Case> c) {
  return [c = std::move(c)]() mutable { return std::exchange(c, std::nullopt); };
}

/// Valid, as what it is made from is, but for a dtype that the block does not compute in.
std::optional<Case> if_valid(const Block& block, Case c) {
  try {
    block.validate(c);
    return c;
  } catch (const InputError&) {
    return std::nullopt;
  }
}

Case contiguous(Case c) {
  for (NamedTensor& input : c.inputs) {
    if (!input.tensor.is_contiguous()) input.tensor = input.tensor.contiguous();
  }
  return c;
}

/// No way for a case whose layout would be lost with its dtype.
Ablation in_dtype(const Block& block, DType dtype) {
  return {std::string(name_of(dtype)), [&block, dtype](const Case& c) {
            if (block.compute_dtype(c) == dtype) return single(c);
            if (contiguous(c) != c) return single(std::nullopt);
            return single(if_valid(block, block.converted(c, dtype)));
          }};
}

/// Whether all of it at once is less: an arithmetic is not less than another.
bool is_dtype(const Ablation& ablation) {
  return ablation.words == name_of(DType::kFloat32) || ablation.words == name_of(DType::kFloat64);
}

}  // namespace

Ablations ablations_of(const BlockEntry& entry) {
  const Block& block = *entry.block;
  // NaN, infinities and the like fail by rules of their own, and no weight of zero silences them.
  Ablations all{{"ordinary numbers",
                 [](const Case& c) { return single(with_replaced(c, kinds_in(c), std::nullopt)); }, true}};
  all.insert(all.end(), entry.ablations.begin(), entry.ablations.end());
  all.push_back({"contiguous tensors", [](const Case& c) { return single(contiguous(c)); }});
  all.push_back(in_dtype(block, DType::kFloat64));
  all.push_back(in_dtype(block, DType::kFloat32));
  return all;
}

Verdict Ablator::judge(const Case& c) {
  if (!may_go_on()) return Verdict::kNotRun;
  ++runs_;
  return judge_(c);
}

/// `c` fails. It vanishes if no way without it fails, and each is seen to be right.
Effect Ablator::effect_on(const Case& c, const Ablation& ablation) {
  const CaseStream ways = ablation.without(c);
  bool all_agree = true;
  int tried = 0;
  for (std::optional<Case> way = ways(); way; way = ways(), ++tried) {
    if (*way == c) return Effect::kFails;
    if (tried == kMostWays) return Effect::kUnknown;
    const Verdict verdict = judge(*way);
    if (is_finding(verdict)) return Effect::kFails;
    all_agree = all_agree && verdict == Verdict::kAgree;
  }
  return tried > 0 && all_agree ? Effect::kVanishes : Effect::kUnknown;
}

Effect Ablator::effect_on_all(const FailingCases& failing, const Ablation& ablation, std::int64_t& cases) {
  const Effect on_smallest = effect_on(failing.smallest, ablation);
  if (on_smallest == Effect::kFails) return Effect::kFails;
  bool contradicted = false;
  for (const Case& original : failing.originals | std::views::take(kAblatedOriginals)) {
    const Effect effect = effect_on(original, ablation);
    if (effect == Effect::kVanishes) ++cases;
    contradicted = contradicted || effect == Effect::kFails;
  }
  if (contradicted) return Effect::kUnknown;
  if (failing.originals.empty()) return on_smallest;
  return cases > 0 ? Effect::kVanishes : Effect::kUnknown;
}

void Ablator::take_away(const Ablation& ablation, Case& failing) {
  const std::optional<Case> way = ablation.without(failing)();
  if (way && *way != failing && fails(*way)) failing = *way;
}

/// It fails if one of the originals still fails without these things, each by its first way.
Effect Ablator::effect_of_all(const std::vector<Case>& originals, const std::vector<std::size_t>& things,
                              std::int64_t& cases) {
  cases = 0;
  for (const Case& original : originals) {
    Case plain = original;
    for (const std::size_t thing : things) {
      if (std::optional<Case> without = ablations_[thing].without(plain)()) plain = std::move(*without);
    }
    const Verdict verdict = judge(plain);
    if (is_finding(verdict)) return Effect::kFails;
    if (verdict == Verdict::kAgree) ++cases;
  }
  return cases > 0 ? Effect::kVanishes : Effect::kUnknown;
}

/// The simplest stay: what comes last is left out first.
Together Ablator::few_of(std::vector<std::size_t> things, std::vector<Case> originals) {
  Together few;
  few.originals = std::move(originals);
  for (const std::size_t thing : std::vector(things) | std::views::reverse) {
    std::vector<std::size_t> fewer = things;
    std::erase(fewer, thing);
    if (effect_of_all(few.originals, fewer, few.cases) == Effect::kVanishes) things = std::move(fewer);
  }
  if (effect_of_all(few.originals, things, few.cases) == Effect::kVanishes) few.things = std::move(things);
  return few;
}

void Ablator::find_together(const std::vector<Case>& originals, AblatedFailure& seen) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < ablations_.size(); ++i) {
    if (!is_dtype(ablations_[i]) && !ablations_[i].leaves_little) all.push_back(i);
  }
  std::int64_t cases = 0;
  seen.plainest = effect_of_all(originals, all, cases);
  if (seen.plainest != Effect::kVanishes) return;
  const auto tried = originals | std::views::take(kAblatedOriginals);
  seen.together = few_of(std::move(all), {tried.begin(), tried.end()});
}

void Ablator::share_sets(const std::vector<Together*>& sets) {
  struct Taker {
    Together* set;
    std::int64_t cases;
  };
  struct Way {
    std::vector<std::size_t> things;
    std::vector<Taker> takers;
  };
  std::vector<Way> ways;
  for (const Together* set : sets) {
    if (std::ranges::find(ways, set->things, &Way::things) == ways.end()) ways.push_back({set->things, {}});
  }
  for (Together* set : sets) {
    runs_ = 0;
    for (Way& way : ways) {
      std::int64_t cases = set->cases;
      const bool vanishes =
          way.things == set->things || effect_of_all(set->originals, way.things, cases) == Effect::kVanishes;
      if (vanishes) way.takers.push_back({set, cases});
    }
  }
  for (std::size_t left = sets.size(); left > 0;) {
    const Way chosen = *std::ranges::max_element(ways, {}, [](const Way& way) { return way.takers.size(); });
    left -= chosen.takers.size();
    for (const auto& [set, cases] : chosen.takers) {
      set->things = chosen.things;
      set->cases = cases;
      for (Way& way : ways) std::erase_if(way.takers, [set](const Taker& each) { return each.set == set; });
    }
  }
}

AblatedFailure Ablator::ablate(const FailingCases& given) {
  runs_ = 0;
  AblatedFailure result;
  result.effects.assign(ablations_.size(), Effect::kUnknown);
  result.cases.assign(ablations_.size(), 0);
  // A second run in the same worker: what shows in its first call alone would seem to vanish with anything.
  if (!fails(given.smallest) || !fails(given.smallest)) return result;
  FailingCases failing{given.smallest, {}};
  for (const Case& original : given.originals) {
    if (fails(original)) failing.originals.push_back(original);
  }
  AblatedFailure seen = result;
  for (std::size_t i = 0; i < ablations_.size(); ++i) {
    seen.effects[i] = effect_on_all(failing, ablations_[i], seen.cases[i]);
    if (!ablations_[i].is_lasting || seen.effects[i] != Effect::kFails) continue;
    take_away(ablations_[i], failing.smallest);
    for (Case& original : failing.originals) take_away(ablations_[i], original);
  }
  if (std::ranges::find(seen.effects, Effect::kVanishes) == seen.effects.end()) {
    find_together(failing.originals, seen);
  }
  return may_go_on() && fails(given.smallest) ? seen : result;
}

}  // namespace deformdiff
