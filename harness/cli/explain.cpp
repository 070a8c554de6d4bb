// Which rule, which element, which term of the bound, which cell of the map.
#include "cli/commands.h"
#include "cli/explain_stages.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

/// "output[0, 3, 7]"
std::string element_name(const OutputSpec& output, std::int64_t element) {
  Shape index(output.shape.size());
  for (std::size_t axis = index.size(); axis-- > 0;) {
    index[axis] = element % output.shape[axis];
    element /= output.shape[axis];
  }
  return output.name + to_string(index);
}

/// One unit in the last place of `value`.
double ulp(double value, DType dtype) {
  const FloatFormat format = float_format(dtype);
  return std::ldexp(1.0,
                    std::ilogb(std::max(std::fabs(value), format.smallest_normal)) - format.precision + 1);
}

std::string explain_element(const BlockEntry& entry, const Case& c, const SubjectInfo& info,
                            const Comparison& comparison) {
  const auto outputs = entry.block->outputs(c);
  const auto output = std::ranges::find(outputs, comparison.output, &OutputSpec::name);
  if (comparison.element < 0 || output == outputs.end()) return "";
  std::string text = fmt::format("element   {}, class {}\n", element_name(*output, comparison.element),
                                 entry.oracle->element_class(c, comparison.output, comparison.element));
  text += fmt::format("got       {:.17g}\nwanted    {:.17g}\n", comparison.got, comparison.wanted);
  const double error = std::fabs(comparison.got - comparison.wanted);
  if (std::isfinite(error)) {
    // The last place of zero says nothing.
    const std::string places =
        comparison.wanted == 0 ? ""
                               : fmt::format("{:.3g} ULPs, ", error / ulp(comparison.wanted, output->dtype));
    text += fmt::format("error     {:.3g}, {}{:.3g} times the bound of {:.3g}\n", error, places,
                        comparison.ratio, comparison.bound);
  }
  const Explanation explanation =
      entry.oracle->explain(c, info.precision, info.contract, comparison.output, comparison.element);
  return text + explanation_text(explanation, comparison.bound);
}

}  // namespace

int run_explain(const Options& options) {
  const SavedRun run = load_single_run(options.files.front(), options.subjects);
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const Case& c = run.saved.problem;
  const Judgement judgement =
      judge_case(subject, *run.entry, c, run.saved.earlier_calls, options.threads, kMemoryLimit);
  const Comparison& comparison = judgement.comparison;

  std::string text;
  if (!run.warning.empty()) text += fmt::format("Warning: {}.\n", run.warning);
  text += fmt::format("case      {} (block {}, {} elements)\nsubject   {}\nverdict   {}\n", run.path.string(),
                      c.block, element_count(c), subject.spec.name, name_of(comparison.verdict));
  if (const int rule = rule_of(comparison.verdict); rule > 0) {
    text += fmt::format("rule      {}: {}\n", rule, kRules[static_cast<std::size_t>(rule - 1)]);
  }
  if (!comparison.reason.empty()) text += fmt::format("reason    {}\n", comparison.reason);
  if (comparison.violations > 1)
    text += fmt::format("          {} elements of {} break it\n", comparison.violations, comparison.output);
  if (!run.saved.earlier_calls.empty())
    text += fmt::format("depends   on {} earlier calls\n", run.saved.earlier_calls.size());
  text += run.entry->has_stages() ? explain_stages(subject, *run.entry, c, judgement.outcome, options.threads)
                                  : explain_element(*run.entry, c, subject.info, comparison);
  say(options, text);
  return is_finding(comparison.verdict) ? 1 : comparison.verdict == Verdict::kAgree ? 0 : 4;
}

}  // namespace deformdiff::cli
