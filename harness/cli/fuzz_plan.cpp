#include "cli/fuzz_plan.h"

#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "cli/session_options.h"
#include "core/error.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// Stages from which on a module is a whole model, or most of one.
constexpr std::size_t kManyStages = 40;

std::int64_t default_cases(std::size_t stages, bool first_look) {
  if (!first_look) return stages > 1 ? kDefaultDeepCases : kDefaultCases;
  return stages == 1 ? kFirstLookCases : stages < kManyStages ? kFirstLookDeepCases : kFirstLookModelCases;
}

void check_tiers(const Options& options, const BlockEntry& entry) {
  std::set<std::string> known;
  std::string listed;
  for (const Tier& tier : entry.generator->tiers()) {
    known.insert(tier.name);
    listed += " " + tier.name;
  }
  for (const std::string& tier : options.tiers) {
    if (!known.contains(tier)) throw InputError(fmt::format("--tier {}: there are:{}", tier, listed));
  }
}

/// Refuses conditions that no case meets, or that speak of what the block does not have, before anything
/// runs.
void check_conditions(const Options& options, const BlockEntry& entry) {
  constexpr std::uint64_t kCases = 8;
  for (std::uint64_t i = 0; !options.only.empty() && i < kCases; ++i) {
    const std::optional<Case> outline =
        entry.generator->outline({options.seed, options.tiers, options.only}, i);
    if (outline) entry.block->working_memory(*outline, {});  // refuses values that would be too large
  }
}

/// Whatever needs to know what the workers of this program serve later asks no more: those that do not say so
/// in time are waited for no longer than the run may take.
void ask_workers(const Options& options, const Deadline& end) {
  std::vector<std::string> names = options.subjects;
  names.insert(names.end(), options.required.begin(), options.required.end());
  const auto is_fault = [](const std::string& name) { return is_fault_name(name); };
  if (std::ranges::any_of(names, is_fault)) faults_and_controls(end);
  const bool asks_for_built_in =
      options.subjects.empty() || std::ranges::any_of(names, [&](const std::string& name) {
        return is_listed_name(name) && !is_fault(name);
      });
  if (asks_for_built_in) builtin_subjects(end);
}

void check_required(const Options& options) {
  for (const std::string& name : options.required) {
    try {
      parse_subject(name);
    } catch (const InputError& error) {
      throw InputError(fmt::format("--require {}: {}", name, error.what()));
    }
  }
}

std::vector<PlannedSession> typed_blocks(const Options& options) {
  std::vector<PlannedSession> sessions;
  for (const std::string& name : options.blocks) {
    const BlockEntry* entry = &find_block(name);
    if (std::ranges::find(sessions, entry, &PlannedSession::entry) == sessions.end()) {
      sessions.push_back({.entry = entry});
    }
  }
  const std::vector<SubjectSpec> subjects = parse_subjects(options.subjects);
  for (PlannedSession& session : sessions) session.subjects = subjects;
  return sessions;
}

std::vector<PlannedSession> served_blocks(const Options& options, const RunLimits& limits) {
  std::vector<PlannedSession> sessions;
  for (const BlockEntry& entry : blocks()) sessions.push_back({.entry = &entry});
  for (const SubjectSpec& spec : parse_subjects(options.subjects)) {
    const std::set<std::string> served = blocks_served(spec, limits);
    for (PlannedSession& session : sessions) {
      if (served.contains(session.entry->block->name())) session.subjects.push_back(spec);
    }
  }
  std::erase_if(sessions, [](const PlannedSession& session) { return session.subjects.empty(); });
  return sessions;
}

}  // namespace

void check_stream(const Options& options, const BlockEntry& entry) {
  check_tiers(options, entry);
  check_conditions(options, entry);
}

bool is_first_look(const Options& options) {
  return options.blocks.empty() && options.subjects.empty() && !options.cases && !options.time_seconds;
}

std::vector<PlannedSession> plan_sessions(const Options& options) {
  RunLimits limits = run_limits_of(options);
  if (options.time_seconds) limits.end = limits.end.within(*options.time_seconds);
  ask_workers(options, limits.end);
  check_required(options);
  std::vector<PlannedSession> sessions =
      options.blocks.empty() ? served_blocks(options, limits) : typed_blocks(options);
  for (PlannedSession& session : sessions) {
    check_stream(options, *session.entry);
    session.stages = stage_count(*session.entry);
    session.cases = default_cases(session.stages, is_first_look(options));
  }
  return sessions;
}

RunPlan progress_plan(const std::vector<PlannedSession>& sessions, const Options& options) {
  // A case of a block of n stages takes about as long as n + kCallCost stages.
  constexpr double kCallCost = 4;
  RunPlan plan;
  plan.seconds = options.time_seconds;
  for (const PlannedSession& session : sessions) {
    const auto cases = static_cast<std::uint64_t>(options.cases.value_or(session.cases));
    plan.parts.push_back({session.entry->block->name(),
                          static_cast<std::int64_t>(options.shard.cases_of(cases)),
                          static_cast<double>(session.stages) + kCallCost});
  }
  return plan;
}

}  // namespace deformdiff::cli
