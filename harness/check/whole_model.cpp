#include "check/whole_model.h"

#include "blocks/extents.h"
#include "blocks/layouts/inference.h"
#include "check/tapped_stages.h"
#include "core/error.h"
#include "core/random.h"
#include "engine/estimate.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// What is tapped on a side, "in" or "out", of the block's first call.
std::vector<Tensor> tapped(const std::vector<NamedTensor>& taps, const std::string& path, const char* side) {
  std::vector<Tensor> values;
  for (const char* call : {"", "#0"}) {
    const std::string place = fmt::format("{}{}:{}", path, call, side);
    for (const NamedTensor& tap : taps) {
      const bool is_there =
          tap.name == place || (tap.name.starts_with(place) && is_number(tap.name.substr(place.size())));
      if (is_there) values.push_back(tap.tensor);
    }
  }
  return values;
}

bool is_of_kind(const TensorSpec& spec, const Tensor& tensor) {
  switch (spec.kind) {
    case TensorSpec::Kind::kFloating:
      return is_floating(tensor.dtype());
    case TensorSpec::Kind::kInt64:
      return tensor.dtype() == DType::kInt64;
    case TensorSpec::Kind::kBool:
      return tensor.dtype() == DType::kBool;
  }
  return false;
}

/// Maps grow from level to level, and the finest is no smaller than the last.
bool are_ordered(const Extents& extents) {
  std::int64_t last = 0;
  const auto grows = [&](const std::string& height, const std::string& width) {
    if (!extents.contains(height) || !extents.contains(width)) return true;
    const std::int64_t pixels = extents.at(height) * extents.at(width);
    return pixels >= std::exchange(last, pixels);
  };
  for (std::int64_t l = 0; extents.contains(fmt::format("H{}", l)); ++l) {
    if (!grows(fmt::format("H{}", l), fmt::format("W{}", l))) return false;
  }
  return grows("H", "W");
}

/// Which of the tensors that a call takes is which input: by kinds and shapes.
class InputFinder {
 public:
  InputFinder(const CheckedModel& model, const std::vector<Tensor>& given) : model_(model), given_(given) {
    for (const TensorSpec& spec : model.block().tensors(model.attributes())) {
      if (!spec.is_parameter()) specs_.push_back(spec);
    }
    chosen_.resize(specs_.size());
  }

  std::vector<NamedTensor> find() {
    const ExtentSolver known(model_.block().extents_of(model_.attributes(), shapes_of(model_.parameters())));
    if (!assign(0, known)) {
      throw InputError(fmt::format("block {}: what {} is called with, {}, is not what the block takes",
                                   model_.block().name(), model_.call_path(), shapes()));
    }
    std::vector<NamedTensor> inputs;
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      if (!chosen_[i]) continue;
      refuse_ambiguity(i);
      inputs.push_back({specs_[i].name, ours(i, *chosen_[i])});
    }
    return inputs;
  }

 private:
  Tensor ours(std::size_t input, std::size_t place) const {
    const std::string& name = specs_[input].name;
    const auto entry = model_.names().input(model_.names().their_input(name));
    return entry && entry->ours == name ? to_ours(*entry, given_[place], {}) : given_[place];
  }

  bool is_taken(std::size_t place) const {
    return std::ranges::any_of(chosen_, [&](const auto& chosen) { return chosen == place; });
  }

  bool assign(std::size_t input, const ExtentSolver& known) {
    if (input == specs_.size()) return are_ordered(known.extents());
    for (std::size_t place = 0; place < given_.size(); ++place) {
      if (is_taken(place) || !is_of_kind(specs_[input], given_[place])) continue;
      if (given_[place].shape().size() != parse_axes(specs_[input].axes).size()) continue;
      const Shape shape = ours(input, place).shape();
      ExtentSolver solver = known;
      while (solver.learn(specs_[input].axes, shape)) {
      }
      if (!solver.mismatch(specs_[input].axes, shape).empty()) continue;
      chosen_[input] = place;
      if (assign(input + 1, solver)) return true;
      chosen_[input].reset();
    }
    // What is not there may follow from the others; the block's own check says if it does not.
    const bool is_needed = specs_[input].kind == TensorSpec::Kind::kFloating && !specs_[input].optional;
    return !is_needed && assign(input + 1, known);
  }

  /// Two tensors of one kind and shape are told apart by nothing.
  void refuse_ambiguity(std::size_t input) const {
    const Tensor& chosen = given_[*chosen_[input]];
    for (const Tensor& other : given_) {
      if (other.dtype() != chosen.dtype() || other.shape() != chosen.shape() || other == chosen) continue;
      throw InputError(fmt::format(
          "block {}: {} is called with several tensors of shape {}, and nothing says which of them "
          "is {}: export that part alone, with inputs of its own",
          model_.block().name(), model_.call_path(), to_string(chosen.shape()), specs_[input].name));
    }
  }

  std::string shapes() const {
    std::vector<std::string> texts;
    for (const Tensor& each : given_) texts.push_back(to_string(each.shape()));
    return texts.empty() ? "which was not seen" : fmt::format("{}", fmt::join(texts, ", "));
  }

  const CheckedModel& model_;
  const std::vector<Tensor>& given_;
  std::vector<TensorSpec> specs_;
  std::vector<std::optional<std::size_t>> chosen_;  ///< by spec, the place among what is given
};

Case problem_of(const CheckedModel& model, const std::vector<NamedTensor>& taps) {
  Case c;
  c.block = model.block().name();
  c.attributes = model.attributes();
  const std::vector<Tensor> given = tapped(taps, model.call_path(), "in");
  c.inputs = InputFinder(model, given).find();
  derive_inputs(model.block(), c.inputs);
  c.inputs.insert(c.inputs.end(), model.parameters().begin(), model.parameters().end());
  c.provenance.generator = "check";
  model.block().validate(c);
  return c;
}

/// The block's outputs among those of its call, or of the model where several modules make up the block: the
/// first of the right shape and type.
void take_outputs(const CheckedModel& model, const std::vector<NamedTensor>& own, BlockInModel& seen) {
  std::vector<std::pair<Tensor, std::optional<std::size_t>>> pool;
  if (model.is_one_module()) {
    for (Tensor& value : tapped(seen.outcome.stages, model.call_path(), "out"))
      pool.emplace_back(std::move(value), std::nullopt);
  }
  for (std::size_t i = 0; i < own.size(); ++i) pool.emplace_back(own[i].tensor, i);
  for (const OutputSpec& spec : model.block().outputs(seen.problem)) {
    const auto found = std::ranges::find_if(pool, [&](const auto& each) {
      if (each.first.dtype() != spec.dtype || each.first.shape().size() != spec.shape.size()) return false;
      return model.our_output(spec.name, each.first).shape() == spec.shape;
    });
    if (found == pool.end()) {
      seen.returned.push_back(std::nullopt);
      continue;
    }
    seen.outcome.outputs.push_back({spec.name, model.our_output(spec.name, found->first)});
    seen.returned.push_back(found->second);
    pool.erase(found);
  }
}

/// What every stage that was not seen should be, given those that were.
std::map<std::string, Tensor> right_values(const CheckedModel& model, const SubjectInfo& info, int threads,
                                           const BlockInModel& seen) {
  StageValues values(model.entry(), seen.problem, info.precision, info.contract, threads);
  std::map<std::string, Tensor> right;
  for (const Stage& stage : model.block().stages(seen.problem)) {
    if (const Tensor* value = find_tensor(seen.outcome.stages, stage.name)) {
      values.set_seen(stage, *value);
      continue;
    }
    const Stage typed = values.typed(stage, nullptr);
    const StageReference reference = values.refer(typed);
    right.emplace(stage.name, middle_of(reference.reference->outputs.front()));
    values.set_drawn(typed, reference);
  }
  return right;
}

}  // namespace

Tensor random_image(DType dtype, std::int64_t batch, const LevelSize& size, std::uint64_t seed) {
  const Shape shape{batch, 3, size.height, size.width};
  const CounterRandom random(seed);
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 4 * random.uniform(i) - 2;
  return convert(Tensor::of<double>(DType::kFloat64, shape, values), dtype);
}

BlockInModel run_on_image(ExportedModule& module, const CheckedModel& model, const Tensor& image,
                          const SubjectInfo& info, int threads) {
  BlockInModel seen;
  seen.outcome = module.run(module_mode::kInterpreter, {{"image", image}}, true);
  if (seen.outcome.kind != Outcome::Kind::kReturned) return seen;
  seen.problem = problem_of(model, seen.outcome.stages);
  const std::vector<NamedTensor> own = std::exchange(seen.outcome.outputs, {});
  take_outputs(model, own, seen);
  seen.outcome.stages = find_stages(model, model.entry(), seen.problem, seen.outcome, info, threads);
  std::vector<NamedTensor> outputs;
  std::map<std::string, Tensor> right;
  for (const OutputSpec& spec : model.block().outputs(seen.problem)) {
    const Tensor* value = find_tensor(seen.outcome.outputs, spec.name);
    if (value == nullptr) value = find_tensor(seen.outcome.stages, spec.stage);
    if (value == nullptr) {
      seen.unused.push_back(spec.name);
      if (right.empty()) right = right_values(model, info, threads, seen);
      value = &right.at(spec.stage);
    }
    outputs.push_back({spec.name, *value});
  }
  seen.outcome.outputs = std::move(outputs);
  return seen;
}

}  // namespace deformdiff
