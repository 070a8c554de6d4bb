#include "engine/relation_judge.h"

#include "core/dtype_dispatch.h"
#include "core/number.h"
#include "core/sixteen_bits.h"
#include "core/telling.h"
#include "engine/answer_noise.h"
#include "engine/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Relations show what replaces, loses or adds samples, which changes an element by about its own size.
constexpr TellingRule kRelatedAnswers{0.5, 50, true};

/// Finite numbers up to this overflow in no product, whatever range an arithmetic has; in sums of 16 bits
/// they may.
constexpr double kTame = 16;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// What numbers a case's floating inputs are.
struct InputNumbers {
  bool finite = true;
  bool tame = true;  ///< the finite ones
};

InputNumbers numbers_of(const Case& c) {
  InputNumbers numbers;
  for (const NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    if (!is_floating(tensor.dtype())) continue;
    if (is_sixteen_bits(tensor.dtype())) numbers.tame = false;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const double number = tensor.element(i);
      if (!std::isfinite(number)) {
        numbers.finite = false;
      } else if (std::fabs(number) > kTame) {
        numbers.tame = false;
      }
    }
  }
  return numbers;
}

double number_at(const Tensor& tensor, std::int64_t element) {
  const auto at = static_cast<std::size_t>(element) * size_of(tensor.dtype());
  return load_number(tensor.dtype(), tensor.storage().data() + at);
}

/// What is found of one relation.
struct Checked {
  std::size_t output = 0;
  std::int64_t element = -1;  ///< of the largest ratio
  double left = 0, right = 0, tolerance = 0, ratio = 0;
  std::int64_t broken = 0;           ///< elements
  std::vector<std::int64_t> listed;  ///< those of `output`
  std::int64_t judged = 0;
};

class RelationJudge {
 public:
  RelationJudge(const BlockEntry& entry, const Case& c, const Outcome& outcome, RatioHistogram* ratios)
      : entry_(entry),
        outcome_(outcome),
        ratios_(ratios),
        outputs_(entry.block->outputs(c)),
        related_(entry.relations->related(c)),
        numbers_(numbers_of(c)) {}

  Comparison judge() {
    Comparison result;
    result.estimated = true;
    result.verdict = Verdict::kAgree;
    if (judge_related(result) || !measure_noise(result)) return result;
    std::size_t next = measuring();
    for (const Relation& relation : related_.relations) {
      const auto answers = std::span(outcome_.related).subspan(next, relation.terms.size());
      next += relation.terms.size();
      const bool applies = can_be_judged(relation, answers);
      Checked checked;
      if (applies) checked = check(relation, answers);
      result.relations[relation.name] = checked.judged > 0;
      if (checked.judged > 0) note(relation, checked, result);
    }
    return result;
  }

  /// Why an agreement says nothing; empty if it says something.
  std::string vacuous(const Comparison& result) const {
    if (std::ranges::none_of(result.relations, [](const auto& each) { return each.second; })) {
      return "no relation could be judged";
    }
    std::string why;
    for (std::size_t output = 0; output < outputs_.size(); ++output) {
      Reference reference;
      tell(tally_of(output), kRelatedAnswers, reference);
      if (reference.vacuous.empty()) return "";
      if (why.empty()) why = reference.vacuous;
    }
    return why;
  }

 private:
  /// Rules 1 to 3 of the related cases. Whether they decide.
  bool judge_related(Comparison& result) const {
    std::size_t next = 0;
    const auto decides = [&](const Case& problem, const std::string& what) {
      const Outcome& outcome = outcome_.related[next++];
      const auto decided = decided_before_elements(outcome, structure_of(entry_.block->outputs(problem)));
      if (!decided || !is_finding(decided->verdict)) return false;
      result = *decided;
      result.estimated = false;
      result.reason = fmt::format("{}: {}", what, decided->reason);
      // Its elements are not those of the case's own answer.
      result.element = -1;
      result.shape.clear();
      result.violating.clear();
      result.sampled.clear();
      return true;
    };
    for (const auto* cases : {&related_.line, &related_.nudged}) {
      for (const Case& problem : *cases) {
        if (decides(problem, "with its numbers changed a little")) return true;
      }
    }
    for (const Relation& relation : related_.relations) {
      for (const RelationTerm& term : relation.terms) {
        if (decides(term.problem, relation.name)) return true;
      }
    }
    return false;
  }

  /// Whether there is a measure.
  bool measure_noise(Comparison& result) {
    for (std::size_t i = 0; i < measuring(); ++i) {
      const Outcome& outcome = outcome_.related[i];
      if (outcome.kind == Outcome::Kind::kReturned) continue;
      result.verdict = Verdict::kVacuous;
      result.reason = "the noise could not be measured: " + outcome.message;
      return false;
    }
    std::int64_t comparisons = 0;
    for (std::size_t output = 0; output < outputs_.size(); ++output) {
      std::vector<const Tensor*> answers;
      for (std::size_t i = 0; i < related_.line.size(); ++i)
        answers.push_back(&outcome_.related[i].outputs[output].tensor);
      const AnswerNoise measured(std::move(answers), related_.degree);
      const std::int64_t elements = element_count(outputs_[output].shape);
      std::vector<double>&noise = noise_.emplace_back(), &nudge = nudge_.emplace_back();
      for (std::int64_t i = 0; i < elements; ++i) {
        noise.push_back(measured.at(static_cast<std::size_t>(i)));
        nudge.push_back(nudge_at(output, i));
      }
      units_.push_back(measured_unit(output));
      comparisons += elements * static_cast<std::int64_t>(related_.relations.size());
    }
    factor_ = estimate_factor(comparisons);
    return true;
  }

  /// Related cases that measure and are not compared.
  std::size_t measuring() const { return related_.line.size() + related_.nudged.size(); }

  /// Root mean square of how far the element goes in the nudged cases, as far as it may.
  double nudge_at(std::size_t output, std::int64_t element) const {
    const double own = number_at(outcome_.outputs[output].tensor, element);
    long double squares = 0;
    for (std::size_t i = related_.line.size(); i < measuring(); ++i) {
      const long double away = number_at(outcome_.related[i].outputs[output].tensor, element) - own;
      if (!std::isfinite(away)) return kUnknown;
      squares += away * away;
    }
    const auto cases = static_cast<long double>(std::max<std::size_t>(1, related_.nudged.size()));
    return std::min(static_cast<double>(std::sqrt(squares / cases)), related_.steepest[output]);
  }

  /// One standard deviation of the error of an element of an answer.
  double noise_at(const Relation& relation, std::size_t output, std::int64_t element) const {
    const auto i = static_cast<std::size_t>(element);
    return relation.rounds
               ? std::sqrt(noise_[output][i] * noise_[output][i] + nudge_[output][i] * nudge_[output][i])
               : noise_[output][i];
  }

  bool can_be_judged(const Relation& relation, std::span<const Outcome> answers) const {
    if (answers.empty()) return false;
    if (!numbers_.finite && !(relation.rearranges && numbers_.tame)) return false;
    return std::ranges::all_of(answers,
                               [](const Outcome& each) { return each.kind == Outcome::Kind::kReturned; });
  }

  Checked check(const Relation& relation, std::span<const Outcome> answers) const {
    Checked checked;
    for (std::size_t output = 0; output < outputs_.size(); ++output) {
      const Tensor& own = outcome_.outputs[output].tensor;
      std::vector<float> ratios;
      double largest = 0;
      for (std::int64_t i = 0; i < own.elements(); ++i) {
        if (related_.is_continuous && !related_.is_continuous(output, i)) continue;
        const double left = number_at(own, i);
        const auto [right, spread, size] = right_side(relation, answers, output, i);
        const double noise = noise_at(relation, output, i) * spread;
        const double tolerance =
            factor_ * std::hypot(noise, rounding_of(std::max(size, std::fabs(left)), output));
        const double ratio = ratio_of(left, right, tolerance);
        if (std::isnan(ratio)) continue;
        ++checked.judged;
        if (ratio > 1) count_broken(output, i, checked);
        if (checked.element < 0 || ratio > checked.ratio) {
          if (checked.output != output) checked.listed.clear();
          if (checked.output != output && ratio > 1) checked.listed.push_back(i);
          checked.output = output;
          checked.element = i;
          checked.left = left;
          checked.right = right;
          checked.tolerance = tolerance;
          checked.ratio = ratio;
        }
        ratios.push_back(static_cast<float>(ratio));
        largest = std::max(largest, ratio);
      }
      if (ratios_ != nullptr) ratios_->add(ratios, largest);
    }
    return checked;
  }

  static void count_broken(std::size_t output, std::int64_t element, Checked& checked) {
    ++checked.broken;
    if (checked.output == output && checked.listed.size() < Comparison::kListed)
      checked.listed.push_back(element);
  }

  /// Of a number of this size in an output.
  double rounding_of(double size, std::size_t output) const {
    return size * units_[output] + float_format(outputs_[output].dtype).smallest_subnormal;
  }

  /// What the errors of all elements of an output come to beside the elements: the unit roundoff of the
  /// implementation's arithmetic, whatever it is, but not less than that of the output's type. An element of
  /// a single product of few bits may keep its error along the whole line; this it has nevertheless.
  double measured_unit(std::size_t output) const {
    const Tensor& own = outcome_.outputs[output].tensor;
    long double errors = 0, numbers = 0;
    for (std::int64_t i = 0; i < own.elements(); ++i) {
      const long double number = number_at(own, i), noise = noise_[output][static_cast<std::size_t>(i)];
      if (!std::isfinite(number) || std::isnan(noise)) continue;
      errors += noise * noise;
      numbers += number * number;
    }
    const double unit = float_format(own.dtype()).unit_roundoff;
    return numbers > 0 ? std::max(unit, static_cast<double>(std::sqrt(errors / numbers))) : unit;
  }

  struct RightSide {
    double number;
    double spread;  ///< of both sides, in standard deviations of an answer
    double size;    ///< largest magnitude of a term
  };

  static RightSide right_side(const Relation& relation, std::span<const Outcome> answers, std::size_t output,
                              std::int64_t element) {
    long double sum = 0;
    double squares = 1, size = 0;
    for (std::size_t t = 0; t < answers.size(); ++t) {
      const RelationTerm& term = relation.terms[t];
      const Found found = term.find(output, element);
      if (found.element < 0) continue;
      const double number = number_at(answers[t].outputs[output].tensor, found.element);
      sum += static_cast<long double>(found.factor) * number;
      size = std::max(size, std::fabs(found.factor * number));
      squares += found.factor * found.factor * term.noise * term.noise;
    }
    return {static_cast<double>(sum), std::sqrt(squares), size};
  }

  /// Of the difference to what noise allows; NaN where nothing can be said. A number that is not finite comes
  /// of inputs that are not, or of an overflow, about which nothing is said.
  double ratio_of(double left, double right, double tolerance) const {
    if (std::isfinite(left) && std::isfinite(right)) {
      const double difference = std::fabs(left - right);
      return difference == 0 && !std::isnan(tolerance) ? 0 : difference / tolerance;
    }
    if (!numbers_.tame) return kUnknown;
    if (kind_of(left) != kind_of(right)) return std::numeric_limits<double>::infinity();
    return numbers_.finite ? kUnknown : 0;
  }

  void note(const Relation& relation, const Checked& checked, Comparison& result) const {
    const bool is_broken = checked.broken > 0;
    if (is_broken) result.violating_classes.insert(relation.name);
    const bool decides = !is_finding(result.verdict) && (is_broken || checked.ratio >= result.ratio);
    if (!decides) return;
    const OutputSpec& output = outputs_[checked.output];
    result.output = output.name;
    result.shape = output.shape;
    result.element = checked.element;
    result.got = checked.left;
    result.wanted = checked.right;
    result.bound = checked.tolerance;
    result.ratio = checked.ratio;
    if (!is_broken) return;
    result.verdict = Verdict::kBrokenRelation;
    result.element_class = relation.name;
    result.violations = checked.broken;
    result.violating = result.sampled = checked.listed;
    result.reason = fmt::format(
        "{}: {} = {}, but {} from {} (ratio {:.2g}){}", relation.name,
        element_name(output.name, output.shape, checked.element), number_text(checked.left, output.dtype),
        number_text(checked.right, output.dtype), description_of(relation.name), checked.ratio,
        checked.broken > 1 ? fmt::format("; {} of {} elements differ", checked.broken, checked.judged) : "");
  }

  std::string description_of(const std::string& relation) const {
    const std::vector<RelationKind> kinds = entry_.relations->kinds();
    return std::ranges::find(kinds, relation, &RelationKind::name)->description;
  }

  Tally tally_of(std::size_t output) const {
    const Tensor& own = outcome_.outputs[output].tensor;
    long double squares = 0, finite = 0;
    for (std::int64_t i = 0; i < own.elements(); ++i) {
      const long double number = number_at(own, i);
      if (!std::isfinite(number)) continue;
      squares += number * number;
      ++finite;
    }
    const auto typical = static_cast<double>(std::sqrt(squares / std::max(1.0L, finite)));
    Tally tally;
    for (std::int64_t i = 0; i < own.elements(); ++i) {
      const double number = number_at(own, i);
      const double tolerance = factor_ * noise_[output][static_cast<std::size_t>(i)] * std::sqrt(2.0);
      const bool is_finite = std::isfinite(number);
      const bool tells = is_finite ? kRelatedAnswers.is_narrow(tolerance, typical) : !numbers_.finite;
      tally.count(tells, true, number != 0);
    }
    return tally;
  }

  const BlockEntry& entry_;
  const Outcome& outcome_;
  RatioHistogram* ratios_;
  std::vector<OutputSpec> outputs_;
  RelatedCases related_;
  InputNumbers numbers_;
  std::vector<std::vector<double>> noise_;  ///< by output and element
  std::vector<std::vector<double>> nudge_;  ///< the same
  std::vector<double> units_;               ///< unit roundoffs, by output
  double factor_ = 0;
};

Comparison without_relations(std::string why) {
  Comparison result;
  result.verdict = Verdict::kVacuous;
  result.reason = std::move(why);
  return result;
}

}  // namespace

std::vector<const Case*> cases_of(const RelatedCases& related) {
  std::vector<const Case*> cases;
  for (const Case& each : related.line) cases.push_back(&each);
  for (const Case& each : related.nudged) cases.push_back(&each);
  for (const Relation& relation : related.relations) {
    for (const RelationTerm& term : relation.terms) cases.push_back(&term.problem);
  }
  return cases;
}

Comparison judge_relations(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                           const Contract& contract, bool has_failed, RatioHistogram* ratios) {
  if (auto decided = decided_before_elements(outcome, structure_of(entry.block->outputs(c)))) return *decided;
  if (entry.relations == nullptr) return without_relations("no relations of the block are known");
  if (outcome.related.empty()) return without_relations("it answers no other cases");
  RelationJudge judge(entry, c, outcome, ratios);
  Comparison result = judge.judge();
  if (is_finding(result.verdict)) return result;
  std::string vacuous = result.verdict == Verdict::kVacuous ? result.reason : judge.vacuous(result);
  judge_after_elements(outcome, contract, has_failed ? "" : vacuous, result);
  return result;
}

}  // namespace deformdiff
