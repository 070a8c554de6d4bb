// Makes a saved finding smaller.
#include "blocks/block_list.h"
#include "check/module_subject.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/judge.h"
#include "engine/shrink_case.h"
#include "generators/staged/shrinks.h"
#include "recorded/recorded_subject.h"

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::filesystem::path output_of(const Options& options) {
  if (!options.output.empty()) return options.output;
  std::filesystem::path path = options.files.front();
  return path.replace_extension(".shrunk.json");
}

}  // namespace

int run_shrink(const Options& options) {
  const SavedRun run = load_single_run(options.files.front(), options);
  if (run.subjects.front().name.starts_with(kRecordedScheme)) {
    throw InputError(fmt::format(
        "{}: a recording cannot be run on other inputs: give --subject for an implementation that can",
        run.path.string()));
  }
  BlockEntry entry = *run.entry;
  if (run.subjects.front().name.starts_with(kModuleScheme)) {
    entry.shrinks = input_shrink_stream(*find_block_definition(entry.block->name()));
  }
  catch_interrupts();
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const Judgement original = judge_again(subject, run, options.threads).judgement;
  if (!run.warning.empty()) say(options, fmt::format("Warning: {}.\n", run.warning));
  if (!subject.started()) {
    say(options,
        fmt::format("{}: nothing to shrink: {} fails before it is given a case: {}: {}\n", run.path.string(),
                    subject.spec.name, name_of(original.comparison.verdict), original.comparison.reason));
    return is_finding(original.comparison.verdict) ? 1 : 4;
  }
  if (!is_finding(original.comparison.verdict)) {
    say(options, fmt::format("{}: nothing to shrink: {}: {} {}\n", run.path.string(), subject.spec.name,
                             name_of(original.comparison.verdict), original.comparison.reason));
    return original.comparison.verdict == Verdict::kAgree ? 0 : 4;
  }

  const std::filesystem::path output = output_of(options);
  SavedCase whole = run.saved;
  whole.signature = original.signature;
  ShrinkHooks hooks;
  if (is_replaced(output)) {
    hooks.on_smaller = [&](const SavedCase& smaller, const Comparison&) { write_case(output, smaller); };
  }
  const auto shrunk =
      shrink_case(subject, entry, whole, {options.budget_seconds, options.evaluations, subject.limits.end},
                  options.threads, hooks);
  if (!shrunk) {
    say(options,
        fmt::format("{}: nothing to shrink: it does not fail again in a fresh worker\n", run.path.string()));
    return 4;
  }
  write_case(output, shrunk->saved);
  say(options,
      fmt::format(
          "{}: {} elements, from {}; {} evaluations and {} to prove that {}\n  {}\n  deformdiff replay {}\n",
          output.string(), element_count(shrunk->saved.problem), element_count(run.saved.problem),
          shrunk->evaluations, shrunk->certificate_evaluations,
          shrunk->minimal ? "no single step is left" : "nothing: the budget is spent",
          shrunk->comparison.reason, output.string()));
  return 1;
}

}  // namespace deformdiff::cli
