// Why an exported module is wrong, from how it behaved and what its graph shows.
#pragma once

#include "check/replay_cases.h"
#include "core/module_description.h"
#include "engine/stage_judge.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct Cause {
  std::string_view name;
  std::string_view explanation;  ///< in plain words, and what to do about it
};

/// All that a report may name: a closed list.
std::span<const Cause> causes();

/// One replay of the recorded graph.
struct Replay {
  std::string name;
  ReplaySizes sizes;
  Case problem;
  Outcome outcome;  ///< with the stages that were found
  StagedComparison judged;
  std::string what{};  ///< as ReplayCase's

  bool fails() const { return is_finding(judged.comparison.verdict); }

  /// It gave no tensors of the block's shapes.
  bool has_no_result() const {
    return outcome.kind != Outcome::Kind::kReturned || judged.comparison.verdict == Verdict::kWrongStructure;
  }
};

/// One of causes(); empty if no replay fails. What the replays show (a value that stays the same for other
/// inputs, failures that come with another batch or other sizes alone) is a cause only where the graph shows
/// it, too: a constant in place of a result, a baked size. Otherwise the stage is wrong, or nothing is known.
std::string find_cause(const std::vector<Replay>& replays, const BlockDefinition& block,
                       const std::vector<AuditFinding>& audit);

/// Whether other numbers in the inputs should change what a stage or output is: those that positions and
/// parameters alone make are the same for all.
bool follows_inputs(const BlockDefinition& block, const Case& c, const std::string& stage_or_output);

/// What the graph alone suggests; empty if it shows nothing.
std::string cause_of_graph(const std::vector<AuditFinding>& audit);

/// What the model does beside computing, where the first replay that fails shows such: it writes into its
/// input, crashes. Empty otherwise.
std::string words_on_misbehaviour(const std::vector<Replay>& replays);

/// What the replays that fail have and those that agree have not: sizes, magnitudes, blocked elements. Empty
/// unless there are both.
std::vector<std::string> circumstances(const std::vector<Replay>& replays, const BlockDefinition& block);

/// The cause in plain words, and what to do about it.
std::vector<std::string> advice_on(const std::string& cause, const std::string& first_diverging_stage);

}  // namespace deformdiff
