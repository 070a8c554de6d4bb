#include "cli/explain_stages.h"

#include "cli/session_options.h"
#include "engine/stage_judge.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::string stage_line(const StageVerdict& verdict) {
  return fmt::format("  {:<64} {:<18} ratio {:<9.3g} inherited {:.2g}{}\n", verdict.stage,
                     name_of(verdict.comparison.verdict), verdict.comparison.ratio, verdict.inherited,
                     verdict.comparison.estimated ? ", estimated" : "");
}

/// The stage of a float64 run on the same numbers.
std::string confirmed_in_double(Subject& subject, const BlockEntry& entry, const Case& c,
                                const std::string& stage, int threads) {
  if (!subject.info.dtypes.contains(DType::kFloat64) || entry.block->compute_dtype(c) == DType::kFloat64)
    return "";
  const Case wide = in_double(c);
  subject.runner->start({&wide, 1}, call_mode(subject.info, entry));
  const Outcome outcome = subject.runner->finish().front();
  const StagedComparison again = judge_stages(entry, wide, outcome, subject.info, {.threads = threads});
  const auto same = std::ranges::find(again.stages, stage, &StageVerdict::stage);
  if (same == again.stages.end()) {
    return fmt::format("\nIn float64 the run ends as {}: {}.\n", name_of(again.comparison.verdict),
                       again.comparison.reason);
  }
  const bool fails = is_finding(same->comparison.verdict);
  return fmt::format("\nThe same stage in float64: {} (ratio {:.3g}): {}.\n",
                     name_of(same->comparison.verdict), same->comparison.ratio,
                     fails ? "a wrong formula or input, not rounding" : "only float32 is at fault");
}

}  // namespace

std::string explanation_text(const Explanation& explanation, double bound) {
  std::string text = "\nThe bound is made of\n";
  for (const auto& [name, value] : explanation.terms) {
    text += fmt::format("  {:<28} {:.3g}{}\n", name, value,
                        bound > 0 ? fmt::format("  ({:.0f} %)", 100 * value / bound) : "");
  }
  text += "\n";
  for (const std::string& line : explanation.lines) text += fmt::format("  {}\n", line);
  return text;
}

std::string explain_stages(Subject& subject, const BlockEntry& entry, const Case& c, const Outcome& outcome,
                           int threads) {
  const StagedComparison result =
      judge_stages(entry, c, outcome, subject.info, {.threads = threads, .inherited = true});
  if (result.stages.empty()) return "";
  const auto wrong = std::ranges::find_if(
      result.stages, [](const StageVerdict& each) { return is_finding(each.comparison.verdict); });
  std::string text = fmt::format("\n{} stages were judged, each on the implementation's own inputs to it:\n",
                                 result.stages.size());
  const auto end = wrong == result.stages.end() ? wrong : wrong + 1;
  const auto shown = std::min<std::ptrdiff_t>(end - result.stages.begin(), 4);
  for (auto each = end - shown; each != end; ++each) text += stage_line(*each);
  if (wrong == result.stages.end()) return text;

  const Comparison& comparison = wrong->comparison;
  text += fmt::format("\nFirst diverging stage: {}\n", wrong->stage);
  if (!comparison.estimated && comparison.element >= 0) {
    const Case stage = case_of_stage(entry, c, outcome, wrong->stage);
    const Oracle& oracle = entry.operations(stage.block);
    text += fmt::format("operation {}\ngot       {:.17g}\nwanted    {:.17g}\n", stage.block, comparison.got,
                        comparison.wanted);
    if (const auto element = element_of_operation(entry, c, wrong->stage, comparison.element)) {
      text += explanation_text(
          oracle.explain(stage, subject.info.precision, subject.info.contract, "output", *element),
          comparison.bound);
    }
  }
  return text + confirmed_in_double(subject, entry, c, wrong->stage, threads);
}

}  // namespace deformdiff::cli
