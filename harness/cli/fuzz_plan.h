// What `fuzz` is going to do: which blocks, on which implementations, with how many cases.
#pragma once

#include "cli/options.h"
#include "engine/block_entry.h"
#include "engine/subject.h"
#include "reports/progress.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace deformdiff::cli {

struct PlannedSession {
  const BlockEntry* entry = nullptr;
  std::vector<SubjectSpec> subjects{};
  std::size_t stages = 0;  ///< of a typical case
  std::int64_t cases = 0;  ///< unless --cases or --time says otherwise
};

/// A session a block: those of --block, else those that the implementations of --subject serve, each with the
/// implementations that serve it, else all. Throws InputError for a block, implementation or tier that does
/// not exist, also where --require names it.
std::vector<PlannedSession> plan_sessions(const Options& options);

/// Whether the run takes everything and few cases of each, for a first look.
bool is_first_look(const Options& options);

RunPlan progress_plan(const std::vector<PlannedSession>& sessions, const Options& options);

/// Throws InputError for tiers that the block does not have, conditions that no case of it meets, and those
/// that speak of what it does not have.
void check_stream(const Options& options, const BlockEntry& entry);

}  // namespace deformdiff::cli
