// Which rule, which stage, which element, which term of the bound, which cell of the map.
#include "cli/commands.h"
#include "cli/explain_relation.h"
#include "cli/explain_stage.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "engine/excuse.h"
#include "engine/judge.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::string verdict_text(const SavedRun& run, const Subject& subject, const Comparison& comparison) {
  std::string text;
  if (!run.warning.empty()) text += fmt::format("Warning: {}.\n", run.warning);
  text += fmt::format("case      {} (block {}, {} elements)\nsubject   {}\nverdict   {}\n", run.path.string(),
                      run.saved.problem.block, element_count(run.saved.problem), subject.spec.name,
                      name_of(comparison.verdict));
  if (const int rule = rule_of(comparison.verdict); rule > 0) {
    text += fmt::format("rule      {}: {}\n", rule, kRules[static_cast<std::size_t>(rule - 1)]);
  }
  if (!comparison.reason.empty()) text += fmt::format("reason    {}\n", comparison.reason);
  if (comparison.violations > 1)
    text += fmt::format("          {} elements of {} break it\n", comparison.violations, comparison.output);
  if (!run.saved.earlier_calls.empty())
    text += fmt::format("depends   on {} earlier calls\n", run.saved.earlier_calls.size());
  return text;
}

/// The last stages that were judged, up to the first at fault.
std::string stages_text(const StagedComparison& judged) {
  constexpr std::ptrdiff_t kShown = 4;
  const auto wrong = std::ranges::find_if(judged.stages, &is_finding,
                                          [](const StageVerdict& each) { return each.comparison.verdict; });
  const auto end = wrong == judged.stages.end() ? wrong : wrong + 1;
  std::string text = fmt::format("\n{} stages were judged, each on the implementation's own inputs to it:\n",
                                 judged.stages.size());
  for (auto each = end - std::min(end - judged.stages.begin(), kShown); each != end; ++each) {
    text += fmt::format("  {:<64} {:<18} ratio {:<9.3g} inherited {:.2g}{}\n", each->stage,
                        name_of(each->comparison.verdict), each->comparison.ratio, each->inherited,
                        each->comparison.estimated ? ", estimated" : "");
  }
  if (wrong != judged.stages.end()) text += fmt::format("\nFirst diverging stage: {}\n", wrong->stage);
  return text;
}

}  // namespace

int run_explain(const Options& options) {
  const SavedRun run = load_single_run(options.files.front(), options);
  const BlockEntry& entry = *run.entry;
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const Case& c = run.saved.problem;
  const Judgement again = judge_again(subject, run, options.threads).judgement;
  const Outcome& outcome = again.outcome;
  const StagedComparison judged = judge_stages(entry, c, outcome, subject.info,
                                               {.threads = options.threads,
                                                .inherited = true,
                                                .one_run = subject.spec.one_run,
                                                .has_failed = run.saved.holds_a_failure()});

  std::string text = verdict_text(run, subject, judged.comparison);
  if (judged.stages.size() > 1) text += stages_text(judged);
  text += judged.comparison.verdict == Verdict::kBrokenRelation
              ? explain_relation(*entry.relations, c, outcome, judged.comparison)
              : explain_stage({subject, entry, c, outcome, options.threads}, judged.comparison);
  const Excuse excuse = excuse_of(entry, c, again, subject, options.threads);
  if (speaks_for_itself(excuse)) {
    text += fmt::format("\nNo failure with {}: declare it if that is meant.\n", excuse.declaration);
  }
  say(options, text);
  const Verdict verdict = judged.comparison.verdict;
  return is_finding(verdict) ? 1 : verdict == Verdict::kAgree ? 0 : 4;
}

}  // namespace deformdiff::cli
