#include "check/tapped_stages.h"

#include "core/error.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

/// Operations that a framework's module of its own computes.
bool is_module(const std::string& operation) {
  static const std::set<std::string> kModules{"linear", "conv2d", "layer_norm", "group_norm", "relu", "gelu"};
  return kModules.contains(operation);
}

/// The tensor with its axes in each order that gives `shape`, the elements as they lie first.
std::vector<Tensor> seen_as(const Tensor& tensor, const Shape& shape) {
  std::vector<Tensor> ways{rearranged(tensor, {reshape(shape)})};
  if (tensor.shape().size() != shape.size() || shape.size() > 4) return ways;
  Shape order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  while (std::ranges::next_permutation(order).found) {
    Shape permuted;
    for (const std::int64_t axis : order) permuted.push_back(tensor.dim(static_cast<std::size_t>(axis)));
    if (permuted == shape) ways.push_back(rearranged(tensor, {permute(order)}));
  }
  return ways;
}

class StageFinder {
 public:
  StageFinder(const CheckedModel& model, const Case& c, const Outcome& outcome, const SubjectInfo& info,
              int threads)
      : model_(model),
        case_(c),
        taps_(outcome.stages),
        outputs_(outcome.outputs),
        info_(info),
        threads_(threads),
        stages_(model.block().stages(c)) {
    for (const OutputSpec& value : model.block().stage_values(c)) specs_.emplace(value.name, value);
  }

  std::vector<NamedTensor> find() {
    for (const NamedTensor& tap : taps_) take_by_path(tap);
    take_outputs();
    find_by_value();
    std::vector<NamedTensor> found;
    for (const Stage& stage : stages_) {
      if (const auto known = found_.find(stage.name); known != found_.end())
        found.push_back({stage.name, known->second});
    }
    return found;
  }

 private:
  /// "PATH:out" is the stage PATH; "PATH:in" what that stage's operation is given.
  void take_by_path(const NamedTensor& tap) {
    const std::size_t colon = tap.name.rfind(':');
    if (colon == std::string::npos) return;
    const std::string path = tap.name.substr(0, colon), side = tap.name.substr(colon + 1);
    const auto theirs = model_.their_path(path);
    if (!theirs) return;
    if (side == "out") {
      for (const LayoutEntry& entry : model_.names().stages(*theirs)) take(entry, tap.tensor);
    } else if (side == "in" && is_leaf(path)) {
      if (const auto entry = model_.names().stage(*theirs)) take_argument(*entry, tap.tensor);
    }
  }

  /// Calls no submodule: its argument is what its own operation is given.
  bool is_leaf(const std::string& path) const {
    return std::ranges::none_of(taps_,
                                [&](const NamedTensor& tap) { return tap.name.starts_with(path + "."); });
  }

  void take(const LayoutEntry& entry, const Tensor& tensor) {
    const auto spec = specs_.find(entry.ours);
    if (spec == specs_.end() || found_.contains(entry.ours)) return;
    try {
      const Tensor ours = to_ours(entry, tensor, spec->second.shape);
      if (ours.shape() == spec->second.shape && ours.dtype() == spec->second.dtype)
        found_.emplace(entry.ours, ours);
    } catch (const InputError&) {
      // Another shape than the framework's own: not that value.
    }
  }

  /// A module's argument is the value that its stage's operation takes as x.
  void take_argument(const LayoutEntry& entry, const Tensor& tensor) {
    const auto stage = std::ranges::find(stages_, entry.ours, &Stage::name);
    if (stage == stages_.end() || !is_module(stage->operation)) return;
    const auto x = std::ranges::find(stage->inputs, "x", &StageInput::name);
    if (x == stage->inputs.end() || !only_reshapes(x->view)) return;
    const auto spec = specs_.find(x->value);
    if (spec == specs_.end() || found_.contains(x->value) || tensor.dtype() != spec->second.dtype) return;
    if (tensor.elements() != element_count(spec->second.shape)) return;
    try {
      const Tensor ours = to_ours(entry, tensor, spec->second.shape);
      found_.emplace(x->value, rearranged(ours, {reshape(spec->second.shape)}));
    } catch (const InputError&) {
      // Another shape than the framework's own: not that value.
    }
  }

  /// What is returned is a stage as good as any.
  void take_outputs() {
    for (const OutputSpec& spec : model_.block().outputs(case_)) {
      const Tensor* output = find_tensor(outputs_, spec.name);
      if (output == nullptr || output->shape() != spec.shape) continue;
      if (output->dtype() == spec.dtype) found_.emplace(spec.stage, *output);
    }
  }

  void find_by_value() {
    StageValues values(model_.entry(), case_, info_.precision, info_.contract, threads_);
    std::set<std::string> unknown;
    for (const Stage& stage : stages_) {
      const bool ready = std::ranges::none_of(
          stage.inputs, [&](const StageInput& input) { return unknown.contains(input.value); });
      if (const auto found = found_.find(stage.name); found != found_.end()) {
        values.set_seen(stage, found->second);
      } else if (!ready) {
        unknown.insert(stage.name);
      } else {
        settle(stage, values, unknown);
      }
    }
  }

  /// A stage that no path names and whose inputs are known.
  void settle(const Stage& stage, StageValues& values, std::set<std::string>& unknown) {
    const StageReference reference = values.refer(stage);
    if (auto value = matching(stage, *reference.reference)) {
      values.set_seen(stage, *value);
      found_.emplace(stage.name, std::move(*value));
    } else if (is_exact(reference.reference->outputs.front())) {
      // Sizes and the like, which a graph need not hold as tensors: there is no other right value.
      values.set_middle(stage, reference);
    } else {
      unknown.insert(stage.name);
    }
  }

  static bool is_exact(const OutputReference& output) {
    return output.admits.empty() &&
           std::ranges::all_of(output.bound, [](double bound) { return bound == 0; });
  }

  std::optional<Tensor> matching(const Stage& stage, const Reference& reference) const {
    const OutputReference& wanted = reference.outputs.front();
    if (wanted.value.empty()) return std::nullopt;
    for (const NamedTensor& tap : taps_) {
      if (tap.tensor.dtype() != wanted.dtype || tap.tensor.elements() != element_count(wanted.shape))
        continue;
      for (Tensor& way : seen_as(tap.tensor, wanted.shape)) {
        Outcome outcome;
        outcome.kind = Outcome::Kind::kReturned;
        outcome.outputs = {{stage.name, way}};
        // A set that admits anything would take the first tensor that comes for the stage.
        const Verdict verdict = compare(outcome, reference, {}).verdict;
        if (verdict == Verdict::kAgree || (verdict == Verdict::kVacuous && is_exact(wanted)))
          return std::move(way);
      }
    }
    return std::nullopt;
  }

  const CheckedModel& model_;
  const Case& case_;
  const std::vector<NamedTensor>& taps_;
  const std::vector<NamedTensor>& outputs_;
  const SubjectInfo& info_;
  int threads_;
  std::vector<Stage> stages_;
  std::map<std::string, OutputSpec> specs_;
  std::map<std::string, Tensor> found_;
};

}  // namespace

std::vector<NamedTensor> find_stages(const CheckedModel& model, const Case& c, const Outcome& outcome,
                                     const SubjectInfo& info, int threads) {
  return StageFinder(model, c, outcome, info, threads).find();
}

}  // namespace deformdiff
