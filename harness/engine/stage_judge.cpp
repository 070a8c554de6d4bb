#include "engine/stage_judge.h"

#include "engine/relation_judge.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// The tensors that an outcome shows, by the stage whose value they are.
using Shown = std::map<std::string, Tensor>;

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.contiguous() == b.contiguous();
}

/// The stages to evaluate so that some can be judged, and which of them is the last to use a value.
class NeededStages {
 public:
  NeededStages(const std::vector<Stage>& stages, const Shown& wanted) {
    for (const auto& [name, tensor] : wanted) last_use_.emplace(name, name);
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (!last_use_.contains(stage->name)) continue;
      for (const StageInput& input : stage->inputs) {
        // From the last stage to the first: only a value of which no use is known yet learns one.
        const auto [use, is_new] = last_use_.emplace(input.value, stage->name);
        if (!is_new && use->second == input.value) use->second = stage->name;
      }
    }
  }

  bool contains(const Stage& stage) const { return last_use_.contains(stage.name); }

  /// Forgets the values that no stage after this one needs: of a deep block they would fill the memory.
  void forget_used(const Stage& stage, StageValues& values) const {
    const auto forget = [&](const std::string& value) {
      if (last_use_.at(value) == stage.name) values.forget(value);
    };
    for (const StageInput& input : stage.inputs) forget(input.value);
    forget(stage.name);
  }

 private:
  std::map<std::string, std::string> last_use_;
};

/// What a tapped run put out, of a worker that knows outputs by their names and not by their stages
/// (WIRE.md).
const Tensor* tapped_output(const Outcome& outcome, const OutputSpec& output) {
  return find_tensor(outcome.stages, "output:" + output.name);
}

/// The set of these bits alone.
std::shared_ptr<const Reference> exactly(const std::string& name, const Tensor& tensor) {
  const auto reference = std::make_shared<Reference>();
  OutputReference& output = reference->outputs.emplace_back();
  output.name = name;
  output.dtype = tensor.dtype();
  output.shape = tensor.shape();
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double value = tensor.element(i);
    output.value.push_back(std::isfinite(value) ? value : 0);
    output.bound.push_back(0);
    output.admits.push_back(kind_of(value));
  }
  return reference;
}

/// Where elements of the stage's value stand in the result of its operation, before the stage's view.
std::vector<std::int64_t> operation_elements(const Oracle& oracle, const Stage& stage, const Case& stage_case,
                                             std::span<const std::int64_t> elements) {
  std::vector<std::int64_t> places(elements.begin(), elements.end());
  if (only_reshapes(stage.view)) return places;
  const Shape shape = oracle.evaluate(stage_case, {}, {}, 1).outputs.front().shape;
  std::vector<std::int64_t> all(static_cast<std::size_t>(element_count(shape)));
  std::iota(all.begin(), all.end(), 0);
  const Tensor viewed = rearranged(int64_tensor(shape, all), stage.view);
  for (std::int64_t& place : places) place = viewed.values<std::int64_t>()[static_cast<std::size_t>(place)];
  return places;
}

class StageJudge {
 public:
  StageJudge(const BlockEntry& entry, const Case& c, const Outcome& outcome, const SubjectInfo& info,
             const StageOptions& options, RatioHistogram* ratios)
      : entry_(entry),
        case_(c),
        outcome_(outcome),
        info_(info),
        options_(options),
        ratios_(ratios),
        stages_(entry.block->stages(c)),
        outputs_(entry.block->outputs(c)) {
    const std::optional<DType> narrow = free_type(*entry.block, c, info.precision);
    for (std::size_t i = 0; narrow && i < std::min(outputs_.size(), outcome.outputs.size()); ++i) {
      const DType got = outcome.outputs[i].tensor.dtype();
      const bool is_free = is_floating(outputs_[i].dtype) && (got == DType::kFloat32 || got == *narrow);
      if (is_free) outputs_[i].dtype = got;
    }
  }

  StagedComparison judge() {
    StagedComparison result;
    if (auto decided = decided_before_elements(outcome_, structure_of(outputs_))) {
      result.comparison = std::move(*decided);
      classify_unwritten(result.comparison);
      return result;
    }
    look();
    judge_shown(result);
    if (!is_finding(result.comparison.verdict))
      options_.one_run ? judge_copies(result) : judge_untapped(result);
    if (options_.inherited) measure_inherited(result);
    if (!is_finding(result.comparison.verdict)) {
      std::string reason = unjudged_output(result.stages);
      if (reason.empty() && !options_.has_failed) reason = vacuous();
      judge_after_elements(outcome_, info_.contract, reason, result.comparison);
    }
    return result;
  }

 private:
  /// Sorts what the outcome holds: the stages' values, and outputs that are not those of the tapped run.
  void look() {
    for (const NamedTensor& stage : outcome_.stages) shown_.emplace(stage.name, stage.tensor);
    const bool one_run = options_.one_run || outcome_.stages.empty();
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Tensor& output = outcome_.outputs[i].tensor;
      returned_.emplace(outputs_[i].stage, output);
      if (one_run) shown_.emplace(outputs_[i].stage, output);
      if (const Tensor* same = tapped_output(outcome_, outputs_[i])) shown_.emplace(outputs_[i].stage, *same);
      const auto tapped = shown_.find(outputs_[i].stage);
      if (tapped == shown_.end() || !same_bits(tapped->second, output)) {
        untapped_.emplace(outputs_[i].stage, output);
      }
    }
  }

  void judge_shown(StagedComparison& result) {
    result.comparison.verdict = Verdict::kAgree;
    judge_values(shown_, shown_, [&](const Stage& stage, const StageReference& reference, const Tensor& got) {
      Comparison comparison = compared(stage.name, reference, got);
      if (is_finding(comparison.verdict)) classify(stage, comparison);
      if (const auto names = unseen(stage); !names.empty() && is_finding(comparison.verdict)) {
        comparison.reason += fmt::format("; computed from {}, which {} not seen", fmt::join(names, ", "),
                                         names.size() == 1 ? "was" : "were");
      }
      // What has another shape is no input for what follows.
      const bool fits = comparison.verdict != Verdict::kWrongStructure;
      note(stage.name, std::move(comparison), result);
      if (fits) note_vacuous(stage.name, *reference.reference);
      return fits;
    });
  }

  /// An output of the run that showed its stage is that, to the bit.
  void judge_copies(StagedComparison& result) {
    for (const OutputSpec& output : outputs_) {
      const auto other = untapped_.find(output.stage);
      if (other == untapped_.end()) continue;
      Comparison comparison =
          compared(output.name, {exactly(output.name, shown_.at(output.stage)), false, {}}, other->second);
      if (is_finding(comparison.verdict)) {
        comparison.element_class = kind_class(comparison.verdict);
        comparison.reason += fmt::format("; its stage {} agrees and should be the same", output.stage);
      }
      note(output.name, std::move(comparison), result);
    }
  }

  /// The untapped run showed nothing but its outputs, which what follows them is judged on.
  void judge_untapped(StagedComparison& result) {
    if (untapped_.empty()) return;
    judge_values(untapped_, returned_,
                 [&](const Stage& stage, const StageReference& reference, const Tensor& got) {
                   Comparison comparison = compared(stage.name, reference, got);
                   comparison.untapped = true;
                   if (is_finding(comparison.verdict)) {
                     classify(stage, comparison);
                     comparison.reason += " in an untapped run";
                   }
                   note(stage.name, std::move(comparison), result);
                   // It says nothing that the tapped run's other outputs lie in narrow sets.
                   if (vacuous_untapped_.empty()) vacuous_untapped_ = reference.reference->vacuous;
                   return true;
                 });
  }

  /// Calls judge(stage, reference, value) for the stages in `wanted` that have a value in `known`, in order,
  /// until one returns false. What these need and is not judged is passed on as known, or drawn.
  template <typename Judge>
  void judge_values(const Shown& wanted, const Shown& known, const Judge& judge) const {
    StageValues values(entry_, case_, info_.precision, info_.contract, options_.threads, options_.shared);
    const NeededStages needed(stages_, wanted);
    for (const Stage& each : stages_) {
      if (!needed.contains(each)) continue;
      const auto value = known.find(each.name);
      const Stage stage = values.typed(each, value == known.end() ? nullptr : &value->second);
      if (value == known.end()) {
        values.set_drawn(stage, values.refer(stage));
      } else if (!wanted.contains(stage.name) || judge(stage, values.refer(stage), value->second)) {
        values.set_seen(stage, value->second);
      } else {
        return;
      }
      needed.forget_used(stage, values);
    }
  }

  Comparison compared(const std::string& name, const StageReference& reference, const Tensor& got) {
    Outcome one;
    one.kind = Outcome::Kind::kReturned;
    one.outputs = {{name, got}};
    Comparison comparison = compare(one, *reference.reference, {}, ratios_);
    comparison.estimated = reference.estimated;
    comparison.output = name;
    return comparison;
  }

  /// The class of the elements to blame. Where they lie is a property of the case where the case alone says
  /// what the stage computes; elsewhere the kind of number is all that another run would show again.
  void classify(const Stage& stage, Comparison& comparison) const {
    if (comparison.element < 0) return;
    if (!depends_on_inputs_alone(stage, case_)) {
      comparison.element_class = kind_class(comparison.verdict);
      return;
    }
    const StageValues values(entry_, case_, info_.precision, info_.contract, options_.threads);
    const Case stage_case = values.stage_case(stage);
    std::vector<std::int64_t> elements{comparison.element};
    elements.insert(elements.end(), comparison.violating.begin(), comparison.violating.end());
    const Oracle& oracle = entry_.operations(stage.operation, stage.dtype);
    const auto classes =
        oracle.element_classes(stage_case, operation_elements(oracle, stage, stage_case, elements));
    comparison.element_class = classes.front();
    comparison.violating_classes = {classes.begin() + 1, classes.end()};
  }

  static const char* kind_class(Verdict verdict) {
    return verdict == Verdict::kNonfiniteMismatch ? "nonfinite"
           : verdict == Verdict::kOutOfBound      ? "interior"
                                                  : "";
  }

  /// Of an element that was never written, before any value is looked at.
  void classify_unwritten(Comparison& comparison) const {
    const auto output = std::ranges::find(outputs_, comparison.output, &OutputSpec::name);
    if (comparison.verdict != Verdict::kUnwrittenOutput || output == outputs_.end()) return;
    classify(*std::ranges::find(stages_, output->stage, &Stage::name), comparison);
  }

  /// What the stage is computed from and the outcome does not show, back to what it shows: one of them may be
  /// at fault instead. Sizes, which no implementation need hold as tensors, are left out.
  std::vector<std::string> unseen(const Stage& wrong) const {
    std::set<std::string> sources;
    const auto add = [&](const Stage& stage) {
      for (const StageInput& input : stage.inputs) {
        if (!shown_.contains(input.value)) sources.insert(input.value);
      }
    };
    add(wrong);
    std::vector<std::string> names;
    for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
      if (!sources.contains(stage->name) || stage->dtype == DType::kInt64) continue;
      add(*stage);
      names.insert(names.begin(), stage->name);
    }
    return names;
  }

  /// The first stage at fault decides; before one is found, the worst that agrees is kept.
  static void note(const std::string& stage, Comparison comparison, StagedComparison& result) {
    const bool decides = !is_finding(result.comparison.verdict) &&
                         (is_finding(comparison.verdict) || comparison.ratio >= result.comparison.ratio);
    const bool estimated = result.comparison.estimated || comparison.estimated;
    if (decides) {
      result.comparison = comparison;
      // Whether an agreement says something is asked of the block's outputs, not of each stage.
      if (comparison.verdict == Verdict::kVacuous) {
        result.comparison.verdict = Verdict::kAgree;
        result.comparison.reason.clear();
      }
    }
    if (!is_finding(result.comparison.verdict)) result.comparison.estimated = estimated;
    result.stages.push_back({stage, std::move(comparison), 0});
  }

  void note_vacuous(const std::string& stage, const Reference& reference) {
    if (std::ranges::find(outputs_, stage, &OutputSpec::stage) == outputs_.end()) return;
    vacuous_outputs_.push_back(reference.vacuous);
  }

  /// Why the outputs could not have shown a fault; empty if one of them could, and every one that the tapped
  /// run does not show.
  std::string vacuous() const {
    if (!vacuous_untapped_.empty()) return vacuous_untapped_ + ", in an untapped run";
    if (vacuous_outputs_.empty() || std::ranges::any_of(vacuous_outputs_, &std::string::empty)) return "";
    return vacuous_outputs_.front();
  }

  /// Why an output says nothing because of what its elements are. A NaN that a stage made although nothing
  /// demands it is demanded of the stages that follow; there exact arithmetic says what it is worth.
  std::string unjudged_output(const std::vector<StageVerdict>& stages) const {
    std::map<std::string, std::int64_t> unjudged;
    bool spreads = false;
    for (const StageVerdict& stage : stages) {
      std::int64_t& most = unjudged[stage.stage];
      most = std::max(most, stage.comparison.unjudged.elements);
      spreads = spreads || stage.comparison.unjudged.nonfinite > 0;
    }
    Shown suspects;
    for (const auto& [stage, got] : returned_) {
      if (spreads && 2 * nonfinite_elements(got) > got.elements()) suspects.emplace(stage, got);
    }
    for_each_exact(suspects, [&](const Stage& stage, const Tensor& got, const OutputReference& exact) {
      std::int64_t& most = unjudged[stage.name];
      most = std::max(most, nonfinite_elements(got, &exact));
    });
    for (const OutputSpec& output : outputs_) {
      std::string why = mostly_unjudged(output.name, unjudged[output.stage], element_count(output.shape));
      if (!why.empty()) return why;
    }
    return "";
  }

  void measure_inherited(StagedComparison& result) const {
    for_each_exact(shown_, [&](const Stage& stage, const Tensor& got, const OutputReference& exact) {
      const auto verdict = std::ranges::find(result.stages, stage.name, &StageVerdict::stage);
      if (verdict != result.stages.end()) verdict->inherited = relative_difference(got, exact);
    });
  }

  /// Calls look(stage, value, exact) for the stages of the values in `wanted`, with what they are in exact
  /// arithmetic throughout, from the case's inputs.
  template <typename Look>
  void for_each_exact(const Shown& wanted, const Look& look) const {
    if (wanted.empty()) return;
    const Case exact = entry_.block->converted(case_, DType::kFloat64);
    StageValues values(entry_, exact, info_.precision, info_.contract, options_.threads);
    const std::vector<Stage> stages = entry_.block->stages(exact);
    const NeededStages needed(stages, wanted);
    for (const Stage& stage : stages) {
      if (!needed.contains(stage)) continue;
      const StageReference reference = values.refer(stage);
      values.set_middle(stage, reference);
      needed.forget_used(stage, values);
      const auto value = wanted.find(stage.name);
      if (value != wanted.end()) look(stage, value->second, reference.reference->outputs.front());
    }
  }

  /// How many elements are NaN or infinite; where `exact` is given, those that it does not admit.
  static std::int64_t nonfinite_elements(const Tensor& got, const OutputReference* exact = nullptr) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < got.elements(); ++i) {
      const double value = got.element(i);
      if (std::isfinite(value)) continue;
      const bool admitted = exact != nullptr && !exact->admits.empty() &&
                            (exact->admits[static_cast<std::size_t>(i)] & kind_of(value)) != 0;
      count += admitted ? 0 : 1;
    }
    return count;
  }

  static double relative_difference(const Tensor& got, const OutputReference& exact) {
    if (got.shape() != exact.shape) return 0;
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < exact.value.size(); ++i) {
      const double value = got.element(static_cast<std::int64_t>(i));
      if (!std::isfinite(value) || !std::isfinite(exact.value[i])) continue;
      difference = std::max(difference, std::abs(value - exact.value[i]));
      largest = std::max(largest, std::abs(exact.value[i]));
    }
    return largest > 0 ? difference / largest : difference;
  }

  const BlockEntry& entry_;
  const Case& case_;
  const Outcome& outcome_;
  const SubjectInfo& info_;
  const StageOptions& options_;
  RatioHistogram* ratios_;
  std::vector<Stage> stages_;
  std::vector<OutputSpec> outputs_;
  Shown shown_;     ///< by the tapped run
  Shown returned_;  ///< outputs of the run that counts, under their stages' names
  Shown untapped_;  ///< those of them that the tapped run did not show
  std::vector<std::string> vacuous_outputs_;
  std::string vacuous_untapped_;
};

/// A call of another kind than the one that counts, whose outputs are in that field of an outcome.
struct OtherCall {
  std::vector<NamedTensor> Outcome::*outputs;
  std::string_view how;
};

constexpr OtherCall kOtherCalls[] = {
    {&Outcome::at_once, "called by two threads at once"},
    {&Outcome::packed, "called on inputs that share storage, in inference mode but for gradients"},
};

/// What it returned then. Its stages were seen in the call that counts.
Outcome outcome_of(const OtherCall& call, const Outcome& outcome) {
  Outcome other = outcome;
  other.outputs = outcome.*call.outputs;
  for (const OtherCall& each : kOtherCalls) (other.*each.outputs).clear();
  other.stages.clear();
  return other;
}

}  // namespace

StagedComparison judge_stages(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                              const SubjectInfo& info, const StageOptions& options, RatioHistogram* ratios) {
  StagedComparison judged;
  if (info.bound == Bound::kNone) {
    judged.comparison = judge_relations(entry, c, outcome, info.contract, options.has_failed, ratios);
  } else {
    judged = StageJudge(entry, c, outcome, info, options, ratios).judge();
  }
  judged.comparison.lost_worker = outcome.lost_worker;
  if (is_finding(judged.comparison.verdict)) return judged;
  for (const OtherCall& call : kOtherCalls) {
    if ((outcome.*call.outputs).empty()) continue;
    StagedComparison other = judge_stages(entry, c, outcome_of(call, outcome), info, options);
    if (!is_finding(other.comparison.verdict)) continue;
    other.comparison.reason = fmt::format("{}: {}", call.how, other.comparison.reason);
    return other;
  }
  return judged;
}

const Tensor* shown_value(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                          const std::string& stage, bool untapped) {
  const Tensor* const tapped = untapped ? nullptr : find_tensor(outcome.stages, stage);
  if (tapped != nullptr) return tapped;
  const std::vector<OutputSpec> outputs = entry.block->outputs(c);
  const auto output = std::ranges::find(outputs, stage, &OutputSpec::stage);
  if (output == outputs.end()) return nullptr;
  if (const Tensor* const same = untapped ? nullptr : tapped_output(outcome, *output)) return same;
  return &outcome.outputs.at(static_cast<std::size_t>(output - outputs.begin())).tensor;
}

StageElement element_of_stage(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                              const Precision& declared, const Stage& of, const Comparison& decided) {
  Precision precision;
  precision.autocast = declared.autocast;
  const Contract contract;
  StageValues values(entry, c, precision, contract, 1);
  const auto shown = [&](const Stage& stage) {
    return shown_value(entry, c, outcome, stage.name, decided.untapped);
  };
  for (const Stage& each : entry.block->stages(c)) {
    if (each.name == of.name) break;
    const Stage earlier = values.typed(each, shown(each));
    if (const Tensor* value = shown(earlier)) {
      values.set_seen(earlier, *value);
    } else {
      values.set_middle(earlier, values.refer(earlier));
    }
  }
  const Stage stage = values.typed(of, shown(of));
  const Oracle& oracle = entry.operations(stage.operation, stage.dtype);
  Case problem = values.stage_case(stage);
  const std::int64_t place = operation_elements(oracle, stage, problem, {&decided.element, 1}).front();
  return {oracle, std::move(problem), place};
}

}  // namespace deformdiff
