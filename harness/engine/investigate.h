// From a failing case to a finding: confirmed, saved, shrunk.
#pragma once

#include "engine/confirm.h"
#include "engine/findings.h"
#include "engine/judge.h"
#include "engine/session_listener.h"
#include "engine/session_options.h"
#include "engine/subject_state.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace deformdiff {

/// A failure as the run met it; its judgement holds the outcome.
struct Failure {
  std::uint64_t index = 0;  ///< of the case; of one beside the stream, of that which led to it
  Case problem;
  Judgement judgement;
  std::vector<std::uint64_t> earlier;  ///< indices of the cases that the worker was given before
  bool beside_stream = false;  ///< met while shrinking or by guidance, after calls that nobody recorded
};

/// A failure that was looked at beside a finding of its signature: that, its tier, and whether it lacked what
/// the finding needs.
using Sibling = std::tuple<Signature, std::string, bool>;

class Investigator {
 public:
  /// `entry`, `options` and `listener` must outlive this. Creates the folder of findings.
  Investigator(const BlockEntry& entry, const SessionOptions& options, Listener& listener);

  /// A case of the run failed: counts it where the failure is known. Else confirms, saves, shrinks, and does
  /// the same for every new failure met on the way; that leaves the subject without a worker.
  void investigate(SubjectState& state, Failure failure);

  /// Only asks, of failures that no declaration excuses.
  bool is_known(const Signature& signature) const { return book_.find({signature, {}, {}}) != nullptr; }

  /// To be called once all is met: settles what belongs to what.
  void settle() { book_.settle(); }

  std::vector<Finding> findings() const { return book_.all(); }
  const FindingBook& book() const { return book_; }
  FindingBook& book() { return book_; }
  std::size_t size() const { return book_.size(); }
  const std::set<Sibling>& siblings() const { return siblings_; }

  /// Those of an earlier sitting of the run.
  void take_up(std::set<Sibling> siblings) { siblings_ = std::move(siblings); }

  /// What grouping the findings needs of a timed run: nothing where no subject has several.
  double seconds_for_grouping() const;

  /// Told what is going on, for progress.
  std::function<void(const std::string& activity)> on_activity;

 private:
  std::optional<FindingKey> known(const SubjectState& state, const Failure& failure) const;
  std::optional<FindingKey> known(const FindingKey& key) const;
  FindingKey key_of(const SubjectState& state, const Case& c, const Judgement& judgement) const;
  void note_case(const FindingKey& key, const Failure& failure);
  Finding& cause_of(SubjectState& state, const Failure& failure, Finding& first);
  Finding& shrunk_sibling(SubjectState& state, const Failure& failure, Finding& first);
  std::function<bool(const Case&)> fails_like(SubjectState& state, const Signature& signature) const;
  void investigate_one(SubjectState& state, const Failure& failure);
  Confirmation confirmed(SubjectState& state, const Calls& calls, const Judgement& judgement,
                         std::span<const std::uint64_t> earlier, bool may_repeat) const;
  double budget_seconds() const;
  void shrink(SubjectState& state, const Failure& failure, Finding& finding, const SavedCase& unshrunk,
              const Comparison& comparison);
  void tell(Finding& finding, const Comparison& comparison);
  void keep(Finding& finding, const SavedCase& saved, const Comparison& comparison);

  const BlockEntry& entry_;
  const SessionOptions& options_;
  Listener& listener_;
  FindingBook book_;
  std::deque<Failure> met_;     ///< on the way, and not yet investigated
  LeadOrigin origin_;           ///< of what is met on the way
  std::set<Sibling> siblings_;  ///< that were shrunk
};

}  // namespace deformdiff
