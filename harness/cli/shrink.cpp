// Makes a saved finding smaller.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "core/sha256.h"
#include "engine/reducer.h"

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::filesystem::path output_of(const Options& options) {
  if (!options.output.empty()) return options.output;
  std::filesystem::path path = options.files.front();
  return path.replace_extension(".shrunk.json");
}

/// What to save for a smaller problem that shows the same failure.
SavedCase shrunk_case(const SavedRun& run, const Judgement& judgement) {
  SavedCase saved = run.saved;
  const SubjectSpec& spec = run.subjects.front();
  saved.expectation = name_of(judgement.comparison.verdict);
  saved.subject = spec.name;
  saved.subject_sha256 = spec.library.empty() ? "" : sha256_of_file(spec.library);
  saved.signature = judgement.signature;
  return saved;
}

}  // namespace

int run_shrink(const Options& options) {
  const SavedRun run = load_single_run(options.files.front(), options.subjects);
  const BlockEntry& entry = *run.entry;
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const auto judge = [&](const Case& c) {
    return judge_case(subject, entry, c, run.saved.earlier_calls, options.threads, kMemoryLimit);
  };
  const Judgement original = judge(run.saved.problem);
  if (!run.warning.empty()) say(options, fmt::format("Warning: {}.\n", run.warning));
  if (!is_finding(original.comparison.verdict)) {
    say(options, fmt::format("{}: nothing to shrink: {}: {} {}\n", run.path.string(), subject.spec.name,
                             name_of(original.comparison.verdict), original.comparison.reason));
    return original.comparison.verdict == Verdict::kAgree ? 0 : 4;
  }

  const std::filesystem::path output = output_of(options);
  SavedCase saved = shrunk_case(run, original);
  const auto save = [&](const Case& smaller) {
    saved.problem = smaller;
    write_case(output, saved);
  };
  save(run.saved.problem);
  const auto still_fails = [&](const Case& c) {
    return shows(entry, original.signature, c, judge(c).comparison);
  };
  const Reduction reduction = reduce(run.saved.problem, entry.shrinks, still_fails,
                                     {options.budget_seconds, options.evaluations}, save);
  // The values of the note are those of the smallest case.
  saved.note = judge(reduction.smallest).comparison.reason;
  save(reduction.smallest);
  say(options,
      fmt::format(
          "{}: {} elements, from {}; {} evaluations and {} to prove that {}\n  {}\n  deformdiff replay {}\n",
          output.string(), element_count(reduction.smallest), element_count(run.saved.problem),
          reduction.evaluations, reduction.certificate_evaluations,
          reduction.minimal ? "no single step is left" : "nothing: the budget is spent", saved.note,
          output.string()));
  return 1;
}

}  // namespace deformdiff::cli
