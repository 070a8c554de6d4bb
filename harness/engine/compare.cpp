#include "engine/compare.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

Verdict verdict_of(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kReturned:
      return Verdict::kAgree;
    case Outcome::Kind::kUnsupported:
      return Verdict::kUnsupported;
    case Outcome::Kind::kThrew:
      return Verdict::kThrew;
    case Outcome::Kind::kDeviceError:
      return Verdict::kDeviceError;
    case Outcome::Kind::kCrashed:
      return Verdict::kCrashed;
    case Outcome::Kind::kTimedOut:
      return Verdict::kTimedOut;
    case Outcome::Kind::kNotRun:
      return Verdict::kNotRun;
  }
  return Verdict::kNotRun;
}

std::string admitted_kinds(std::uint8_t admits) {
  std::string kinds;
  const auto add = [&](int flag, const char* name) {
    if ((admits & flag) != 0) kinds += (kinds.empty() ? "" : " or ") + std::string(name);
  };
  add(kAdmitsFinite, "a finite number");
  add(kAdmitsNan, "NaN");
  add(kAdmitsPlusInf, "inf");
  add(kAdmitsMinusInf, "-inf");
  return kinds.empty() ? "nothing" : kinds;
}

std::string others(std::int64_t violations, std::int64_t total) {
  return violations <= 1 ? "" : fmt::format("; {} of {} elements are wrong", violations, total);
}

/// Rule 2; empty if the outputs are those that the block defines. Why some of them could not be looked at is
/// in the outcome's message.
std::string structure_fault(const Outcome& outcome, const Reference& reference) {
  if (outcome.outputs.size() != reference.outputs.size()) {
    return fmt::format("{} outputs, wanted {}{}{}", outcome.outputs.size(), reference.outputs.size(),
                       outcome.message.empty() ? "" : ": ", outcome.message);
  }
  for (std::size_t i = 0; i < reference.outputs.size(); ++i) {
    const OutputReference& wanted = reference.outputs[i];
    const NamedTensor& got = outcome.outputs[i];
    if (got.name != wanted.name) return fmt::format("output '{}', wanted '{}'", got.name, wanted.name);
    if (got.tensor.dtype() != wanted.dtype || got.tensor.shape() != wanted.shape) {
      return fmt::format("{} is {} {}, wanted {} {}", wanted.name, name_of(got.tensor.dtype()),
                         to_string(got.tensor.shape()), name_of(wanted.dtype), to_string(wanted.shape));
    }
  }
  return "";
}

/// Rule 3. True if it decides.
bool judge_memory(const Outcome& outcome, const Reference& reference, Comparison& result) {
  if (!outcome.overran.empty()) {
    result.verdict = Verdict::kOverranBuffer;
    result.output = outcome.overran;
    result.reason = fmt::format("wrote outside a buffer: {}{}{}", outcome.overran,
                                outcome.message.empty() ? "" : "; ", outcome.message);
    return true;
  }
  if (!outcome.modified.empty()) {
    result.verdict = Verdict::kModifiedInput;
    result.output = outcome.modified;
    result.reason = fmt::format("changed {}, which is not its own to write", outcome.modified);
    return true;
  }
  if (outcome.unwritten_output.empty()) return false;
  result.verdict = Verdict::kUnwrittenOutput;
  result.output = outcome.unwritten_output;
  result.element = outcome.first_unwritten;
  result.reason = fmt::format("{} has elements that were never written", outcome.unwritten_output);
  for (const OutputReference& wanted : reference.outputs) {
    if (wanted.name == outcome.unwritten_output && result.element >= 0) {
      result.reason =
          fmt::format("{} was never written", element_name(wanted.name, wanted.shape, result.element));
      result.shape = wanted.shape;
      result.violating = result.sampled = {result.element};
    }
  }
  return true;
}

void blame(const OutputReference& wanted, const Tensor& got, std::int64_t element, Comparison& result) {
  const auto i = static_cast<std::size_t>(element);
  result.output = wanted.name;
  result.shape = wanted.shape;
  result.element = element;
  result.got = got.element(element);
  result.wanted = wanted.value[i];
  result.bound = wanted.bound[i];
}

void blame_nonfinite(const OutputReference& wanted, const Tensor& got, const ElementFindings& found,
                     Comparison& result) {
  const std::int64_t element = found.nonfinite_elements.front();
  const std::uint8_t admits = wanted.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite)
                                                    : wanted.admits[static_cast<std::size_t>(element)];
  result.verdict = Verdict::kNonfiniteMismatch;
  blame(wanted, got, element, result);
  result.ratio = 0;
  if ((admits & kAdmitsFinite) == 0) result.wanted = std::numeric_limits<double>::quiet_NaN();
  result.violating = found.nonfinite_elements;
  result.sampled = found.nonfinite_sample.elements();
  std::string expected = admitted_kinds(admits);
  if (admits == kAdmitsFinite) expected = number_text(result.wanted, wanted.dtype);
  result.reason = fmt::format("{} = {}, wanted {}{}", element_name(wanted.name, wanted.shape, element),
                              number_text(result.got, wanted.dtype), expected,
                              others(found.nonfinite + found.outside, got.elements()));
}

std::string interval(double value, double bound, DType dtype) {
  return dtype == DType::kFloat64 ? fmt::format("{:.17g} +- {:.2g}", value, bound)
                                  : fmt::format("{:.9g} +- {:.2g}", value, bound);
}

void blame_worst(const OutputReference& wanted, const Tensor& got, const ElementFindings& found,
                 Comparison& result) {
  blame(wanted, got, found.worst, result);
  result.ratio = found.worst_ratio;
  if (found.outside == 0) return;
  result.verdict = Verdict::kOutOfBound;
  result.violating = found.outside_elements;
  result.sampled = found.outside_sample.elements();
  std::string set = interval(result.wanted, result.bound, wanted.dtype);
  for (const Alternative& other : wanted.alternatives) {
    if (other.element == found.worst) set += " or " + interval(other.value, other.bound, wanted.dtype);
  }
  result.reason = fmt::format(
      "{} = {}, wanted {} (ratio {:.2g}){}", element_name(wanted.name, wanted.shape, found.worst),
      number_text(result.got, wanted.dtype), set, result.ratio, others(found.outside, got.elements()));
}

/// Rules 4 and 5. A wrong kind of number in any output comes before the worst distance over all outputs.
/// Returns why an output says nothing.
std::string judge_elements(const Outcome& outcome, const Reference& reference, RatioHistogram* ratios,
                           Comparison& result) {
  std::string unjudged;
  for (std::size_t i = 0; i < reference.outputs.size(); ++i) {
    const OutputReference& wanted = reference.outputs[i];
    const Tensor& got = outcome.outputs[i].tensor;
    const ElementFindings found = compare_elements(got, wanted, Comparison::kListed, ratios);
    result.violations += found.nonfinite + found.outside;
    result.unjudged.elements += found.unjudged.elements;
    result.unjudged.nonfinite += found.unjudged.nonfinite;
    if (unjudged.empty()) unjudged = mostly_unjudged(wanted.name, found.unjudged.elements, got.elements());
    if (result.verdict == Verdict::kNonfiniteMismatch) continue;
    if (found.nonfinite > 0) {
      blame_nonfinite(wanted, got, found, result);
    } else if (found.worst >= 0 && (result.element < 0 || found.worst_ratio > result.ratio)) {
      blame_worst(wanted, got, found, result);
    }
  }
  return unjudged;
}

/// The first output whose bits were promised and changed in a second run: of all that may have, where the
/// worker does not name them.
std::optional<std::string> broken_promise(const Outcome& outcome, const Contract& contract) {
  if (!outcome.ran_twice || outcome.repeated_bits) return std::nullopt;
  const auto is_named = [&](const NamedTensor& output) {
    return std::ranges::find(outcome.other_bits, output.name) != outcome.other_bits.end();
  };
  const bool names_them = std::ranges::any_of(outcome.outputs, is_named);
  for (const NamedTensor& output : outcome.outputs) {
    const bool changed = !names_them || is_named(output);
    if (changed && contract.repeats(output.name)) return names_them ? output.name : "";
  }
  return std::nullopt;
}

}  // namespace

Reference structure_of(const std::vector<OutputSpec>& outputs) {
  Reference reference;
  for (const OutputSpec& output : outputs) {
    OutputReference& wanted = reference.outputs.emplace_back();
    wanted.name = output.name;
    wanted.dtype = output.dtype;
    wanted.shape = output.shape;
  }
  return reference;
}

std::string number_text(double value, DType dtype) {
  return dtype == DType::kFloat64 ? fmt::format("{}", value) : fmt::format("{}", static_cast<float>(value));
}

std::optional<Comparison> decided_before_elements(const Outcome& outcome, const Reference& reference) {
  Comparison result;
  result.verdict = verdict_of(outcome.kind);
  result.reason = outcome.message;
  if (outcome.kind != Outcome::Kind::kReturned) return result;
  result.reason = structure_fault(outcome, reference);
  if (!result.reason.empty()) {
    result.verdict = Verdict::kWrongStructure;
    return result;
  }
  if (judge_memory(outcome, reference, result)) return result;
  return std::nullopt;
}

void judge_after_elements(const Outcome& outcome, const Contract& contract, const std::string& vacuous,
                          Comparison& result) {
  if (const std::optional<std::string> broken = broken_promise(outcome, contract)) {
    result.verdict = Verdict::kNondeterministic;
    result.output = *broken;
    result.reason = "a second run on the same inputs gave other bits";
    if (outcome.outputs.size() > 1 && !broken->empty()) result.reason += " to " + *broken;
  } else if (!vacuous.empty()) {
    result.verdict = Verdict::kVacuous;
    result.reason = vacuous;
  }
}

std::string mostly_unjudged(const std::string& output, std::int64_t unjudged, std::int64_t elements) {
  if (2 * unjudged <= elements) return "";
  return fmt::format(
      "{} of {} elements of {} are not judged: an overflow may make anything of them, or of what they are "
      "computed from",
      unjudged, elements, output);
}

Comparison compare(const Outcome& outcome, const Reference& reference, const Contract& contract,
                   RatioHistogram* ratios) {
  Comparison result;
  if (auto decided = decided_before_elements(outcome, reference)) {
    result = std::move(*decided);
  } else {
    result.verdict = Verdict::kAgree;
    const std::string unjudged = judge_elements(outcome, reference, ratios, result);
    if (!is_finding(result.verdict)) {
      judge_after_elements(outcome, contract, unjudged.empty() ? reference.vacuous : unjudged, result);
    }
  }
  result.lost_worker = outcome.lost_worker;
  return result;
}

}  // namespace deformdiff
