#include "cli/explain_stage.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// One unit in the last place of `value`.
double ulp(double value, DType dtype) {
  const FloatFormat format = float_format(dtype);
  return std::ldexp(1.0,
                    std::ilogb(std::max(std::fabs(value), format.smallest_normal)) - format.precision + 1);
}

std::string error_text(const Comparison& decided, DType dtype) {
  const double error = std::fabs(decided.got - decided.wanted);
  if (!std::isfinite(error)) return "";
  // The last place of zero says nothing.
  const std::string places = decided.wanted == 0 || !is_floating(dtype)
                                 ? ""
                                 : fmt::format("{:.3g} ULPs, ", error / ulp(decided.wanted, dtype));
  return fmt::format("error     {:.3g}, {}{:.3g} times the bound of {:.3g}\n", error, places, decided.ratio,
                     decided.bound);
}

std::string bound_text(const Explanation& explanation, double bound) {
  std::string text = "\nThe bound is made of\n";
  for (const auto& [name, value] : explanation.terms) {
    text += fmt::format("  {:<28} {:.3g}{}\n", name, value,
                        bound > 0 ? fmt::format("  ({:.0f} %)", 100 * value / bound) : "");
  }
  text += "\n";
  for (const std::string& line : explanation.lines) text += fmt::format("  {}\n", line);
  return text;
}

std::string element_text(const ExplainedRun& run, const Stage& stage, const Comparison& decided) {
  const SubjectInfo& info = run.subject.info;
  const auto [oracle, problem, element] =
      element_of_stage(run.entry, run.problem, run.outcome, info.precision, stage, decided);
  const Tensor* const shown = shown_value(run.entry, run.problem, run.outcome, stage.name, decided.untapped);
  DEFORMDIFF_CHECK(shown != nullptr);
  const Tensor& value = *shown;
  // That of a failure is in its signature.
  const std::string element_class = decided.element_class.empty()
                                        ? oracle.element_classes(problem, {&element, 1}).front()
                                        : decided.element_class;
  std::string text = fmt::format(
      "operation {}\nelement   {}, class {}\ngot       {:.17g}\nwanted    {:.17g}\n", stage.operation,
      element_name(stage.name, value.shape(), decided.element), element_class, decided.got, decided.wanted);
  text += error_text(decided, value.dtype());
  // An estimated bound has no terms of its own.
  if (decided.estimated) return text;
  return text + bound_text(oracle.explain(problem, info.precision, info.contract, element), decided.bound);
}

/// The stage of a float64 run on the same numbers.
std::string confirmed_in_double(const ExplainedRun& run, const std::string& stage) {
  const Block& block = *run.entry.block;
  if (!run.subject.info.dtypes.contains(DType::kFloat64)) return "";
  if (block.compute_dtype(run.problem) == DType::kFloat64) return "";
  const Case wide = block.converted(run.problem, DType::kFloat64);
  run.subject.runner->start({&wide, 1}, call_mode(run.subject.info, block, {&wide, 1}));
  const Outcome outcome = run.subject.runner->finish().front();
  if (outcome.kind == Outcome::Kind::kUnsupported) return "";
  const StagedComparison again =
      judge_stages(run.entry, wide, outcome, run.subject.info, {.threads = run.threads});
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

std::string explain_stage(const ExplainedRun& run, const Comparison& decided) {
  const std::vector<Stage> stages = run.entry.block->stages(run.problem);
  const auto stage = std::ranges::find(stages, decided.output, &Stage::name);
  if (decided.element < 0 || stage == stages.end()) return "";
  std::string text = element_text(run, *stage, decided);
  if (is_finding(decided.verdict)) text += confirmed_in_double(run, stage->name);
  return text;
}

}  // namespace deformdiff::cli
