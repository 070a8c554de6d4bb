#include "check/tapped_stages.h"

#include "check/stage_offers.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace deformdiff {
namespace {

/// Operations that change no element.
bool only_moves(const std::string& operation) {
  static const std::set<std::string> kMoves{"copy", "concat", "mask_rows"};
  return kMoves.contains(operation);
}

bool is_exact(const OutputReference& output) {
  return output.admits.empty() && std::ranges::all_of(output.bound, [](double bound) { return bound == 0; });
}

/// Every element is finite and the middle of the set.
bool is_exactly(const Tensor& value, const OutputReference& wanted) {
  if (!wanted.admits.empty()) return false;
  for (std::size_t i = 0; i < wanted.value.size(); ++i) {
    if (value.element(static_cast<std::int64_t>(i)) != wanted.value[i]) return false;
  }
  return true;
}

/// The largest difference of an element to the middle of its set, infinity where a number of another kind is.
double distance(const Tensor& value, const OutputReference& wanted) {
  double most = 0;
  for (std::size_t i = 0; i < wanted.value.size(); ++i) {
    const double got = value.element(static_cast<std::int64_t>(i));
    const std::uint8_t admits = wanted.admits.empty() ? std::uint8_t{kAdmitsFinite} : wanted.admits[i];
    if (!std::isfinite(got) && (admits & kind_of(got)) != 0) continue;
    const double away = std::abs(got - wanted.value[i]);
    most = std::max(most, std::isfinite(away) && (admits & kAdmitsFinite) != 0
                              ? away
                              : std::numeric_limits<double>::infinity());
  }
  return most;
}

/// A tapped value seen in one order of its axes.
struct Candidate {
  double away;  ///< from the set
  std::size_t tap;
  const View* view;
};

class StageFinder {
 public:
  StageFinder(const CheckedModel& model, const BlockEntry& entry, const Case& c, const Outcome& outcome,
              const SubjectInfo& info, int threads)
      : model_(model),
        case_(c),
        taps_(outcome.stages),
        outputs_(outcome.outputs),
        free_(free_type(model.block(), c, info.precision)),
        values_(entry, c, info.precision, info.contract, threads),
        stages_(model.block().stages(c)),
        offers_(model, stages_, taps_) {
    for (const OutputSpec& value : model.block().stage_values(c)) specs_.emplace(value.name, value);
    const auto heads = model.attributes().find("num_heads");
    if (heads != model.attributes().end()) heads_ = static_cast<std::int64_t>(heads->second);
  }

  std::vector<NamedTensor> find() {
    take_outputs();
    if (taps_.empty()) {
      found_ = returned_;
    } else {
      settle_from(0);
      find_positions();
      find_culprits();
    }
    std::vector<NamedTensor> found;
    for (const Stage& stage : stages_) {
      if (const auto known = found_.find(stage.name); known != found_.end())
        found.push_back({stage.name, known->second});
    }
    return found;
  }

 private:
  /// What is returned is a stage as good as any.
  void take_outputs() {
    for (const OutputSpec& spec : model_.block().outputs(case_)) {
      const Tensor* output = find_tensor(outputs_, spec.name);
      if (output == nullptr || output->shape() != spec.shape) continue;
      if (may_have(spec, output->dtype())) returned_.emplace(spec.stage, *output);
    }
  }

  /// Of a value, where its type is free: float32 or the narrow one.
  bool may_have(const OutputSpec& spec, DType dtype) const {
    return dtype == spec.dtype ||
           (free_ && is_floating(spec.dtype) && (dtype == *free_ || dtype == DType::kFloat32));
  }

  /// The types that the stage's value may have.
  std::vector<DType> types_of(const Stage& stage) const {
    const DType dtype = specs_.at(stage.name).dtype;
    if (!free_ || !is_floating(dtype)) return {dtype};
    return {*free_, DType::kFloat32};
  }

  /// What the stage may answer, computing in the type of a value, and for a value of this type.
  static StageReference refer(const Stage& stage, const Tensor& value, const StageValues& values) {
    return values.refer(values.typed(stage, &value));
  }
  StageReference refer_in(DType dtype, Stage stage, const StageValues& values) const {
    if (!free_ || !is_floating(dtype)) return values.refer(values.typed(std::move(stage), nullptr));
    stage.dtype = dtype;
    return values.refer(stage);
  }

  std::vector<Tensor> offered_for(const Stage& stage) {
    std::vector<Tensor> all;
    for (const DType dtype : types_of(stage)) {
      OutputSpec spec = specs_.at(stage.name);
      spec.dtype = dtype;
      std::ranges::move(offers_.of(stage.name, spec, views_), std::back_inserter(all));
    }
    return all;
  }

  void settle_from(std::size_t first) {
    for (std::size_t i = first; i < stages_.size(); ++i) settle(stages_[i]);
  }

  /// The stage's value becomes known: that which its path names, which is returned, or which lies in its set.
  void settle(const Stage& stage) {
    if (const auto known = found_.find(stage.name); known != found_.end())
      return values_.set_seen(stage, known->second);
    const std::vector<Tensor> offered = offered_for(stage);
    if (offered.size() == 1) return take(stage, offered.front());
    if (const auto output = returned_.find(stage.name); output != returned_.end())
      return take(stage, output->second);
    const Stage typed = values_.typed(stage, nullptr);
    std::optional<StageReference> likely;
    for (const DType dtype : types_of(stage)) {
      const StageReference reference = refer_in(dtype, stage, values_);
      if (auto value = matching(stage, *reference.reference, offered)) return take(stage, std::move(*value));
      if (!likely || dtype == typed.dtype) likely = reference;
    }
    if (is_exact(likely->reference->outputs.front())) {
      // Sizes and the like, which a graph need not hold as tensors: there is no other right value.
      values_.set_middle(typed, *likely);
      known_.insert(stage.name);
    } else {
      values_.set_drawn(typed, *likely);
      const auto used =
          std::ranges::find_if(offered, [&](const Tensor& value) { return is_used_as(stage, value); });
      if (used != offered.end()) take(stage, *used);
    }
  }

  void take(const Stage& stage, Tensor value) {
    values_.set_seen(stage, value);
    known_.insert(stage.name);
    found_.emplace(stage.name, std::move(value));
  }

  /// A stage of positions, computed from whole numbers alone, was not found: the tapped value nearest to its
  /// set, though outside, is the stage's if the model computed from it, and from no right value, one that has
  /// a name. An estimate would forgive it. Of features there are more ways to compute them than sets list,
  /// and that is what estimates are for; so are positions in a wider dtype than the model's, where tables of
  /// a lower precision are constants.
  void find_positions() {
    if (model_.block().compute_dtype(case_) != model_.dtype()) return;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& stage = stages_[i];
      if (is_known(stage.name) || !knows_inputs(stage) || !is_position(stage.name)) continue;
      const StageReference reference = values_.refer(values_.typed(stage, nullptr));
      const std::vector<Candidate> nearest =
          candidates(0, taps_.size(), reference.reference->outputs.front());
      if (nearest.empty() || !std::isfinite(nearest.front().away)) continue;
      const Tensor value = rearranged(taps_[nearest.front().tap].tensor, *nearest.front().view);
      StageValues right = values_;
      right.set_middle(values_.typed(stage, nullptr), reference);
      if (is_finding(verdict_on(value, stage.name, *reference.reference)) && is_used_as(stage, value) &&
          !is_used(stage, right))
        adopt(i, value);
    }
  }

  /// Computed from no floating-point number of the case.
  bool is_position(const std::string& name) const {
    if (const Tensor* const input = case_.find_input(name)) return !is_floating(input->dtype());
    const auto stage = std::ranges::find(stages_, name, &Stage::name);
    return std::ranges::all_of(stage->inputs,
                               [&](const StageInput& input) { return is_position(input.value); });
  }

  /// The value becomes the stage's if it leads to one that has a name.
  void adopt(std::size_t place, const Tensor& value) {
    const auto found = found_;
    const auto known = known_;
    take(stages_[place], value);
    settle_from(place + 1);
    if (leads_to_a_name(place)) return;
    found_ = found;
    known_ = known;
    settle_from(place);
  }

  /// Whether a value that a path names, or that is returned, lies in the set that follows from the stage's
  /// value through others that were found and do so, too.
  bool leads_to_a_name(std::size_t place) const {
    std::set<std::string> reached{stages_[place].name};
    for (const Stage& next : std::span(stages_).subspan(place + 1)) {
      const bool follows = std::ranges::any_of(
          next.inputs, [&](const StageInput& input) { return reached.contains(input.value); });
      if (!follows || !knows_inputs(next)) continue;
      const auto found = found_.find(next.name);
      if (found != found_.end()) {
        if (!lies_in(found->second, next.name, *refer(next, found->second, values_).reference)) return false;
        if (has_name(next.name)) return true;
      }
      if (is_known(next.name)) reached.insert(next.name);
    }
    return false;
  }

  bool has_name(const std::string& stage) const { return returned_.contains(stage) || offers_.has(stage); }

  /// Where a value that was found is wrong and not all that it is computed from was found: which of that is
  /// wrong. The value from which the model computed what follows is the stage's, however far from its set.
  /// Only what is a finding anyway is looked into: nothing right is blamed for a value that it has not.
  void find_culprits() {
    for (const Stage& stage : stages_) {
      if (!found_.contains(stage.name) || !is_wrong(stage)) continue;
      while (find_culprit(stage) && is_wrong(stage)) {
      }
      return;
    }
  }

  /// Computed from what was not found, and not in the set that follows from the rest.
  bool is_wrong(const Stage& stage) const {
    if (sources_not_found(stage).empty()) return false;
    const Tensor& value = found_.at(stage.name);
    return is_finding(verdict_on(value, stage.name, *refer(stage, value, values_).reference));
  }

  /// Among what was computed after something that a suspect takes, and before what is wrong is tapped.
  bool find_culprit(const Stage& wrong) {
    const std::size_t end = place_of(found_.at(wrong.name)).value_or(taps_.size());
    for (const std::size_t i : sources_not_found(wrong)) {
      for (const DType dtype : types_of(stages_[i])) {
        if (find_culprit_of_type(i, dtype, end)) return true;
      }
    }
    return false;
  }

  bool find_culprit_of_type(std::size_t i, DType dtype, std::size_t end) {
    const Stage& stage = stages_[i];
    const StageReference reference = refer_in(dtype, stage, values_);
    for (const Candidate& candidate :
         candidates(earliest_source(stage), end, reference.reference->outputs.front())) {
      Tensor value = rearranged(taps_[candidate.tap].tensor, *candidate.view);
      // Only a fault takes another's place.
      if (!is_finding(verdict_on(value, stage.name, *reference.reference)) || !is_used_as(stage, value))
        continue;
      take(stage, std::move(value));
      settle_from(i + 1);
      return true;
    }
    return false;
  }

  /// Values tapped from one place to another that may be those of a set, the nearest to it first.
  std::vector<Candidate> candidates(std::size_t begin, std::size_t end, const OutputReference& wanted) {
    std::vector<Candidate> list;
    for (std::size_t tap = begin; tap < end; ++tap) {
      const Tensor& tensor = taps_[tap].tensor;
      if (tensor.dtype() != wanted.dtype) continue;
      for (const View& view : views_.views(tensor.shape(), wanted.shape, heads_)) {
        list.push_back({distance(rearranged(tensor, view), wanted), tap, &view});
      }
    }
    std::ranges::stable_sort(list, {}, &Candidate::away);
    return list;
  }

  /// Where the first of the stage's inputs that were found is tapped; the beginning where none is.
  std::size_t earliest_source(const Stage& stage) {
    std::size_t earliest = taps_.size();
    for (const StageInput& input : stage.inputs) {
      const auto found = found_.find(input.value);
      if (is_parameter(input.value)) continue;
      earliest = std::min(earliest, found == found_.end() ? 0 : place_of(found->second).value_or(0));
    }
    return earliest == taps_.size() ? 0 : earliest;
  }

  /// Where a value is first tapped, its axes in any order.
  std::optional<std::size_t> place_of(const Tensor& value) {
    for (std::size_t tap = 0; tap < taps_.size(); ++tap) {
      const Tensor& tensor = taps_[tap].tensor;
      if (tensor.dtype() != value.dtype()) continue;
      for (const View& view : views_.views(tensor.shape(), value.shape(), heads_)) {
        if (rearranged(tensor, view) == value) return tap;
      }
    }
    return std::nullopt;
  }

  /// Places of the stages that were not found and that the stage is computed from, through such stages alone.
  std::vector<std::size_t> sources_not_found(const Stage& stage) const {
    std::set<std::string> sources;
    const auto add = [&](const Stage& each) {
      for (const StageInput& input : each.inputs) {
        if (!found_.contains(input.value)) sources.insert(input.value);
      }
    };
    add(stage);
    std::vector<std::size_t> places;
    for (std::size_t i = stages_.size(); i-- > 0;) {
      if (!sources.contains(stages_[i].name)) continue;
      add(stages_[i]);
      places.insert(places.begin(), i);
    }
    return places;
  }

  /// One of those offered or, with its axes in any order, tapped that lies in the stage's set. Of several
  /// that a path does not tell apart, as the sum and its terms where one of them rounds away, the one that is
  /// used.
  std::optional<Tensor> matching(const Stage& stage, const Reference& reference,
                                 const std::vector<Tensor>& offered) {
    const std::vector<Tensor> values = all_matching(stage, reference, offered);
    if (values.size() <= 1 || std::ranges::find(offered, values.front()) != offered.end())
      return values.empty() ? std::nullopt : std::optional(values.front());
    const auto used =
        std::ranges::find_if(values, [&](const Tensor& value) { return is_used_as(stage, value); });
    return used == values.end() ? std::nullopt : std::optional(*used);
  }

  /// Each once; those offered first, and nothing else where one of them is there.
  std::vector<Tensor> all_matching(const Stage& stage, const Reference& reference,
                                   const std::vector<Tensor>& offered) {
    const OutputReference& wanted = reference.outputs.front();
    if (wanted.value.empty()) return {};
    for (const Tensor& value : offered) {
      if (lies_in(value, stage.name, reference)) return {value};
    }
    std::vector<Tensor> values;
    for (const NamedTensor& tap : taps_) {
      if (tap.tensor.dtype() != wanted.dtype) continue;
      for (const View& view : views_.views(tap.tensor.shape(), wanted.shape, heads_)) {
        Tensor value = rearranged(tap.tensor, view);
        if (lies_in(value, stage.name, reference) && std::ranges::find(values, value) == values.end())
          values.push_back(std::move(value));
      }
    }
    return values;
  }

  static Verdict verdict_on(const Tensor& value, const std::string& stage, const Reference& reference) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::kReturned;
    outcome.outputs = {{stage, value}};
    return compare(outcome, reference, {}).verdict;
  }

  static bool lies_in(const Tensor& value, const std::string& stage, const Reference& reference) {
    // A set that admits anything would take the first tensor that comes for the stage. Zeros, which prove
    // nothing either, are right where they are the exact value.
    const Verdict verdict = verdict_on(value, stage, reference);
    return verdict == Verdict::kAgree ||
           (verdict == Verdict::kVacuous && is_exactly(value, reference.outputs.front()));
  }

  /// Whether the model computed a later stage from this value as that stage is computed from this one.
  bool is_used_as(const Stage& stage, const Tensor& value) {
    StageValues trial = values_;
    trial.set_seen(stage, value);
    return is_used(stage, trial);
  }

  /// Whether the model holds what a stage makes of this one's value.
  bool is_used(const Stage& stage, StageValues& values) {
    return std::ranges::any_of(stages_, [&](const Stage& next) {
      if (!is_ready_but_for(stage.name, next)) return false;
      if (only_moves(next.operation)) {
        // The value itself, which says nothing: what is made of it does.
        const Stage typed = values.typed(next, nullptr);
        values.set_middle(typed, values.refer(typed));
        return is_used(next, values);
      }
      if (const auto known = found_.find(next.name); known != found_.end())
        return lies_in(known->second, next.name, *refer(next, known->second, values).reference);
      return std::ranges::any_of(types_of(next), [&](DType dtype) {
        return !all_matching(next, *refer_in(dtype, next, values).reference, offered_for(next)).empty();
      });
    });
  }

  bool knows_inputs(const Stage& stage) const {
    return std::ranges::all_of(stage.inputs, [&](const StageInput& input) { return is_known(input.value); });
  }

  bool is_known(const std::string& value) const {
    return known_.contains(value) || case_.find_input(value) != nullptr;
  }

  /// Whether it takes this value and all else that it takes is known.
  bool is_ready_but_for(const std::string& value, const Stage& next) const {
    const auto is_it = [&](const StageInput& input) { return input.value == value; };
    return std::ranges::any_of(next.inputs, is_it) &&
           std::ranges::all_of(
               next.inputs, [&](const StageInput& input) { return is_it(input) || is_known(input.value); });
  }

  const CheckedModel& model_;
  const Case& case_;
  const std::vector<NamedTensor>& taps_;
  const std::vector<NamedTensor>& outputs_;
  std::optional<DType> free_;  ///< free_type()
  StageValues values_;
  std::vector<Stage> stages_;
  std::int64_t heads_ = 1;
  std::map<std::string, OutputSpec> specs_;
  StageOffers offers_;
  std::map<std::string, Tensor> returned_, found_;
  std::set<std::string> known_;  ///< stages that were found, or whose value can be no other
  ViewCache views_;
};

}  // namespace

std::vector<NamedTensor> find_stages(const CheckedModel& model, const BlockEntry& entry, const Case& c,
                                     const Outcome& outcome, const SubjectInfo& info, int threads) {
  return StageFinder(model, entry, c, outcome, info, threads).find();
}

}  // namespace deformdiff
