// Generates cases, runs and judges implementations, shrinks and saves what is found.
#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "engine/session.h"
#include "engine/stopwatch.h"
#include "reports/progress.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::vector<const BlockEntry*> blocks_of(const Options& options) {
  std::vector<const BlockEntry*> entries;
  if (options.blocks.empty()) {
    for (const BlockEntry& entry : blocks()) entries.push_back(&entry);
  }
  for (const std::string& name : options.blocks) {
    const BlockEntry* entry = &find_block(name);
    if (std::ranges::find(entries, entry) == entries.end()) entries.push_back(entry);
  }
  return entries;
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
  for (std::uint64_t i = 0; !options.only.empty() && i < kCases; ++i)
    entry.generator->generate({options.seed, options.tiers, options.only}, i);
}

}  // namespace

int run_fuzz(const Options& options) {
  const auto entries = blocks_of(options);
  for (const BlockEntry* entry : entries) {
    check_tiers(options, *entry);
    check_conditions(options, *entry);
  }
  catch_interrupts();
  RunReport report;
  {
    ProgressLine progress(stderr, options.progress);
    const Stopwatch watch;
    for (std::size_t i = 0; i < entries.size() && !interrupted(); ++i) {
      const BlockEntry& entry = *entries[i];
      SessionOptions session =
          session_options_of(options, is_deep(entry) ? kDefaultDeepCases : kDefaultCases);
      // What is left of the time is shared by the blocks that are left.
      if (options.time_seconds) {
        session.time_limit_seconds =
            std::max(0.0, *options.time_seconds - watch.seconds()) / static_cast<double>(entries.size() - i);
      }
      append(report.session, fuzz(entry, parse_subjects(options.subjects), session, progress));
    }
  }
  if (interrupted()) report.warnings.emplace_back(kInterruptedWarning);
  return finish(options, report);
}

}  // namespace deformdiff::cli
