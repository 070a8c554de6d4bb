#include "engine/stage_values.h"

#include "core/error.h"
#include "core/mixed_types.h"
#include "core/random.h"
#include "core/sixteen_bits.h"
#include "engine/estimate.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff {
namespace {

template <typename T>
void rearrange(const View& view, const Shape& shape, DType dtype, std::vector<T>& values) {
  if (values.empty()) return;
  const Tensor viewed = rearranged(Tensor::of<T>(dtype, shape, std::span<const T>(values)), view);
  const auto moved = viewed.values<T>();
  values.assign(moved.begin(), moved.end());
}

/// Moves the elements of an output as the stage's view does.
void rearrange(const View& view, OutputReference& output) {
  if (view.empty()) return;
  if (only_reshapes(view)) {
    output.shape = view.back().arguments;
    return;
  }
  DEFORMDIFF_CHECK(output.alternatives.empty());  // no stage with a jump is looked at in another order
  const Shape before = output.shape;
  const auto count = static_cast<std::size_t>(element_count(before));
  output.shape = rearranged(Tensor(DType::kUInt8, before, Tensor::Bytes(count)), view).shape();
  rearrange(view, before, DType::kFloat64, output.value);
  rearrange(view, before, DType::kFloat64, output.value_low);
  rearrange(view, before, DType::kFloat64, output.bound);
  rearrange(view, before, DType::kUInt8, output.admits);
}

std::uint64_t label_of(std::string_view text) {
  std::uint64_t hash = 0;
  for (const char each : text) hash = mix_bits(hash + static_cast<unsigned char>(each));
  return hash;
}

}  // namespace

bool depends_on_inputs_alone(const Stage& stage, const Case& c) {
  return std::ranges::all_of(stage.inputs,
                             [&](const StageInput& input) { return c.find_input(input.value) != nullptr; });
}

std::optional<DType> free_type(const Block& block, const Case& c, const Precision& precision) {
  std::optional<DType> narrow = mixed_dtype(c);
  if (!narrow && precision.autocast != Autocast::kNone) {
    narrow = precision.autocast == Autocast::kFloat16 ? DType::kFloat16 : DType::kBFloat16;
    const DType dtype = block.compute_dtype(c);
    if (dtype != DType::kFloat32 && dtype != *narrow) return std::nullopt;
  }
  if (!narrow) return std::nullopt;
  const std::vector<Stage> stages = block.stages(c);
  const bool feed =
      std::ranges::any_of(stages, [&](const Stage& stage) { return !depends_on_inputs_alone(stage, c); });
  return feed ? narrow : std::nullopt;
}

SharedReferences shared_references(const BlockEntry& entry, const Case& c, const Precision& precision,
                                   const Contract& contract, int threads) {
  SharedReferences shared;
  if (free_type(*entry.block, c, precision)) return shared;
  const StageValues values(entry, c, precision, contract, threads);
  for (const Stage& stage : entry.block->stages(c)) {
    if (depends_on_inputs_alone(stage, c)) shared.emplace(stage.name, values.refer(stage).reference);
  }
  return shared;
}

StageValues::StageValues(const BlockEntry& entry, const Case& c, const Precision& precision,
                         const Contract& contract, int threads, const SharedReferences* shared)
    : entry_(entry),
      precision_(precision),
      contract_(contract),
      threads_(threads),
      shared_(shared),
      free_(free_type(*entry.block, c, precision)) {
  for (const NamedTensor& input : c.inputs) values_[input.name] = {input.tensor, {}};
}

const StageValue& StageValues::value(const std::string& name) const {
  const auto found = values_.find(name);
  DEFORMDIFF_CHECK(found != values_.end());
  return found->second;
}

Stage StageValues::typed(Stage stage, const Tensor* seen) const {
  if (!free_ || !is_floating(stage.dtype)) return stage;
  if (seen != nullptr && (seen->dtype() == DType::kFloat32 || seen->dtype() == *free_)) {
    stage.dtype = seen->dtype();
    return stage;
  }
  const bool takes_narrow = std::ranges::any_of(
      stage.inputs, [&](const StageInput& input) { return value(input.value).seen.dtype() == *free_; });
  const bool casts = entry_.operations(stage.operation, *free_).casts_operands(precision_);
  stage.dtype = takes_narrow || casts ? *free_ : DType::kFloat32;
  return stage;
}

Case StageValues::stage_case(const Stage& stage) const {
  Case c;
  c.block = stage.operation;
  c.attributes = stage.attributes;
  for (const StageInput& input : stage.inputs) {
    c.inputs.push_back({input.name, rearranged(value(input.value).seen, input.view)});
  }
  return c;
}

Case StageValues::case_of_draw(const Stage& stage, std::size_t draw) const {
  Case c = stage_case(stage);
  for (std::size_t i = 0; i < stage.inputs.size(); ++i) {
    const StageValue& known = value(stage.inputs[i].value);
    if (!known.draws.empty()) c.inputs[i].tensor = rearranged(known.draws[draw], stage.inputs[i].view);
  }
  return c;
}

Reference StageValues::evaluate(const Stage& stage, const Case& stage_case) const {
  Reference reference =
      entry_.operations(stage.operation, stage.dtype).evaluate(stage_case, precision_, contract_, threads_);
  DEFORMDIFF_CHECK(reference.outputs.size() == 1);
  reference.outputs.front().name = stage.name;
  rearrange(stage.view, reference.outputs.front());
  return reference;
}

OutputReference StageValues::unseen(const Stage& stage, Case stage_case, OutputReference stored) const {
  if (!is_sixteen_bits(stored.dtype)) return stored;
  for (NamedTensor& input : stage_case.inputs) {
    if (is_sixteen_bits(input.tensor.dtype())) input.tensor = convert(input.tensor, DType::kFloat32);
  }
  OutputReference wide = std::move(entry_.operations(stage.operation, DType::kFloat32)
                                       .evaluate(stage_case, precision_, contract_, threads_)
                                       .outputs.front());
  rearrange(stage.view, wide);
  for (std::size_t i = 0; i < stored.bound.size(); ++i) {
    const bool rounds =
        wide.bound[i] != 0 || round_to(sixteen_bit_format(stored.dtype), wide.value[i]) != wide.value[i];
    if (rounds) stored.bound[i] = std::max(stored.bound[i], step_at(stored.dtype, wide.value[i]));
  }
  return stored;
}

StageReference StageValues::refer(const Stage& stage) const {
  if (shared_ != nullptr) {
    const auto shared = shared_->find(stage.name);
    if (shared != shared_->end()) return {shared->second, false, {}};
  }
  StageReference result;
  Reference reference = evaluate(stage, stage_case(stage));
  result.estimated = std::ranges::any_of(
      stage.inputs, [&](const StageInput& input) { return !value(input.value).draws.empty(); });
  if (result.estimated) result.drawn = estimate(stage, reference);
  result.reference = std::make_shared<const Reference>(std::move(reference));
  return result;
}

StageValue StageValues::estimate(const Stage& stage, Reference& reference) const {
  OutputReference& output = reference.outputs.front();
  // Before the draws add what only they lead to.
  StageValue value{middle_of(output), {}};
  Widening widening(output);
  // A sharp decision is asked of the ends too: draws would seldom show a number close to its threshold.
  const std::size_t draws = output.dtype == DType::kBool ? kDraws + kEnds : kDraws;
  const CounterRandom random(label_of(stage.name));
  const Case middle_case = stage_case(stage);
  for (std::size_t draw = 0; draw < draws; ++draw) {
    const Case drawn_case = case_of_draw(stage, draw);
    OutputReference drawn = std::move(evaluate(stage, drawn_case).outputs.front());
    widening.add(drawn, is_sixteen_bits(output.dtype) && drawn_case != middle_case);
    if (draw < kDraws) {
      value.draws.push_back(draw_from(unseen(stage, drawn_case, std::move(drawn)), random, draw));
    }
  }
  widening.apply();
  add_ends(output, value.draws);
  count_telling(reference);
  return value;
}

void StageValues::set_seen(const Stage& stage, Tensor value) {
  values_[stage.name] = {std::move(value), {}};
}

void StageValues::set_middle(const Stage& stage, const StageReference& reference) {
  set_seen(stage, middle_of(reference.reference->outputs.front()));
}

void StageValues::set_drawn(const Stage& stage, const StageReference& reference) {
  StageValue& drawn = values_[stage.name] = reference.drawn;
  if (reference.estimated) return;
  drawn.seen = middle_of(reference.reference->outputs.front());
  // Where the inputs are known, and only there, its set is that of what is stored: draws of inputs that are
  // rounded to one result hide a step of it.
  OutputReference output = reference.reference->outputs.front();
  if (precision_.unseen == Unseen::kAny) output = unseen(stage, stage_case(stage), std::move(output));
  const bool exact = std::ranges::all_of(output.bound, [](double bound) { return bound == 0; }) &&
                     output.admits.empty() && output.alternatives.empty();
  if (exact) return;
  const CounterRandom random(label_of(stage.name));
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    drawn.draws.push_back(draw_from(output, random, draw));
  }
  add_ends(output, drawn.draws);
}

}  // namespace deformdiff
