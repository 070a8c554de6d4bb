// What a finding's failure needs: things are taken away from its cases, one at a time and all at once.
#pragma once

#include "engine/block_entry.h"
#include "engine/deadline.h"
#include "engine/judge.h"
#include "engine/subject.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace deformdiff {

/// Ordinary numbers, the block's own, then the others that any block has.
Ablations ablations_of(const BlockEntry& entry);

/// What becomes of a failure without something.
enum class Effect : std::uint8_t {
  kUnknown,  ///< no such case can be made, or what is left could show nothing, or cases contradict each other
  kFails,    ///< it is not needed
  kVanishes
};

/// The failing cases of a finding.
struct FailingCases {
  Case smallest;
  std::vector<Case> originals;  ///< of the run
};

/// Ablations that make a failure vanish together, in their order.
struct Together {
  /// So few that it fails without any one of them, until they are shared; none if there is no set.
  std::vector<std::size_t> things;
  std::vector<Case> originals;  ///< of those that it was tried on
  std::int64_t cases = 0;       ///< from how many of them it vanished; it failed on none
};

struct AblatedFailure {
  std::vector<Effect> effects;      ///< one an ablation
  Effect plainest{};                ///< of everything at once, where nothing alone makes it vanish: kFails if
                                    ///< one of the originals still fails
  std::vector<std::int64_t> cases;  ///< one an ablation: originals from which the failure vanished
  Together together{};              ///< where nothing alone makes it vanish and everything at once does
};

/// Judgements that one finding may take, and the ways without something that are tried.
constexpr int kMostAblationRuns = 120;
constexpr int kMostWays = 8;

/// Originals from which one thing at a time is taken away; everything at once is from all that there are.
constexpr std::size_t kAblatedOriginals = 3;

/// The smallest case says what is not needed: it is there for one cause. That something is needed must hold
/// of the originals too, whose numbers are ordinary ones: a smallest case fails by so little that any change
/// may end it. An original that fails in spite of it may have another cause besides, and says nothing.
class Ablator {
 public:
  /// Judges a case; every call is a run.
  using JudgeCase = std::function<Verdict(const Case&)>;

  Ablator(const Ablations& ablations, JudgeCase judge, Deadline end)
      : ablations_(ablations), judge_(std::move(judge)), end_(end) {}

  /// All effects unknown where the smallest case does not fail again and again, or the time or the runs are
  /// used up before the end: what was not tried could have told it from another failure. Originals that do
  /// not fail are left out.
  AblatedFailure ablate(const FailingCases& failing);

  /// Failures of one cause need different things of a set, by what their cases have: of the sets of all, each
  /// failure gets the one that makes most of them vanish, it among them.
  void share_sets(const std::vector<Together*>& sets);

 private:
  bool may_go_on() const { return runs_ < kMostAblationRuns && !end_.passed(); }
  Verdict judge(const Case& c);
  bool fails(const Case& c) { return is_finding(judge(c)); }
  Effect effect_on(const Case& c, const Ablation& ablation);
  Effect effect_on_all(const FailingCases& failing, const Ablation& ablation, std::int64_t& cases);
  void take_away(const Ablation& ablation, Case& failing);
  Effect effect_of_all(const std::vector<Case>& originals, const std::vector<std::size_t>& things,
                       std::int64_t& cases);
  Together few_of(std::vector<std::size_t> things, std::vector<Case> originals);
  void find_together(const std::vector<Case>& originals, AblatedFailure& seen);

  const Ablations& ablations_;
  const JudgeCase judge_;
  const Deadline end_;
  int runs_ = 0;
};

}  // namespace deformdiff
