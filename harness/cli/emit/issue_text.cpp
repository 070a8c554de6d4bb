#include "cli/emit/issue_text.h"

#include "cli/emit/python_script.h"
#include "core/tensor.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// Text between backticks, which may hold such itself.
std::string code(const std::string& text) {
  return text.find('`') == std::string::npos ? fmt::format("`{}`", text) : fmt::format("`` {} ``", text);
}

/// What is wrong, in the words of people who write such code.
std::string_view in_words(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOutOfBound:
      return "a number comes back that no correct evaluation could give";
    case Verdict::kNonfiniteMismatch:
      return "NaN or an infinity comes back where a number is due, or the other way round";
    case Verdict::kWrongStructure:
      return "the result has another shape, dtype or number of tensors than it must have";
    case Verdict::kUnwrittenOutput:
      return "elements of the result are never written";
    case Verdict::kModifiedInput:
      return "an input, or an earlier result, is changed";
    case Verdict::kNondeterministic:
      return "two calls with the same inputs give other bits";
    case Verdict::kThrew:
      return "valid inputs are refused";
    case Verdict::kTimedOut:
      return "the call does not return";
    default:
      return "the process does not survive the call";
  }
}

std::string interval(const Comparison& decided) {
  if (decided.bound == 0) return fmt::format("{:.17g}", decided.wanted);
  return fmt::format("a number from {:.17g} to {:.17g}", decided.wanted - decided.bound,
                     decided.wanted + decided.bound);
}

std::string expected_and_got(const Evidence& evidence) {
  const Comparison& decided = evidence.comparison;
  if (decided.element < 0) {
    return fmt::format("### Expected\n\nA result, with nothing else changed.\n\n### Got\n\n{}: {}\n",
                       name_of(decided.verdict), decided.reason);
  }
  const std::string_view basis =
      decided.estimated
          ? "estimated from random roundings of the same formulas, with a margin"
          : "what rounding allows, in any order of summation, with and without fused multiply-adds";
  const std::string others =
      decided.violations > 1 ? fmt::format("; {} elements are wrong in all", decided.violations) : "";
  return fmt::format("### Expected\n\n{}: {}. No tolerance was chosen.\n\n### Got\n\n{:.17g}{}\n",
                     interval(decided), basis, decided.got, others);
}

std::string where(const Evidence& evidence) {
  const Comparison& decided = evidence.comparison;
  std::string text = fmt::format("- {}\n- on inputs of {} numbers in all", code(evidence.implementation),
                                 element_count(evidence.saved.problem));
  if (!evidence.saved.earlier_calls.empty()) {
    text += fmt::format(", after {} other calls in the same process", evidence.saved.earlier_calls.size());
  }
  if (evidence.saved.reproduction) {
    text += fmt::format(", not each time: {} of {} runs", evidence.saved.reproduction->seen,
                        evidence.saved.reproduction->runs);
  }
  text += "\n";
  if (!decided.output.empty()) text += fmt::format("- in {}\n", code(decided.output));
  if (evidence.of_values)
    text += fmt::format("- computed by {}\n", code(evidence.of_values->stage.operation));
  if (!decided.element_class.empty())
    text += fmt::format("- class of the element: {}\n", decided.element_class);
  return text;
}

}  // namespace

std::string issue_text(const Evidence& evidence, const std::string& script) {
  const std::string words(in_words(evidence.comparison.verdict));
  std::string text =
      fmt::format("## {}: {}\n\n{}.\n\n### Where\n\n{}\n{}\n### Environment\n\n", evidence.implementation,
                  words, summary_of(evidence), where(evidence), expected_and_got(evidence));
  for (const auto& [what, which] : evidence.environment) text += fmt::format("- {} {}\n", what, which);
  text += fmt::format("- found with deformdiff {}\n", DEFORMDIFF_VERSION);
  // A fence that the script does not hold.
  const std::string fence = "````";
  return text +
         fmt::format("\n### To reproduce\n\nThis script exits with 1 where it shows:\n\n{}python\n{}{}\n",
                     fence, script, fence);
}

}  // namespace deformdiff::cli
