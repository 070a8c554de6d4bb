#include "generators/ms_deform_attn/operator_generator.h"

#include "generators/common/case_stream.h"
#include "generators/common/storage_layout.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/nonfinite.h"
#include "generators/ms_deform_attn/shapes.h"
#include "generators/ms_deform_attn/triggers.h"
#include "generators/ms_deform_attn/values.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// One case in so many is large.
constexpr std::uint64_t kLargePeriod = 1000;

/// One in so many is beyond a limit in one extent: all limits have had their turn in a run of usual length.
constexpr std::uint64_t kLimitPeriod = 120;

const std::vector<Tier>& all_tiers() {
  static const std::vector<Tier> tiers{
      {"exact", 20, "integers and short dyadic fractions: no correct implementation rounds"},
      {"typical", 25, "scaled-down real models: reference points, softmaxed weights, normal values"},
      {"adversarial", 40,
       "extents, locations, weights, values and storage layouts at which kernels go wrong"},
      {"degenerate", 5, "empty along an axis, or of one element along most"},
      {"nonfinite", 10, "a few NaNs and infinities, judged by contract"},
      {"huge", 0,
       "small tensors, but more products N*Q*M*D*L*P than 32 bits count, a second and 0.4 GiB a case: only "
       "with --tier huge; not for what holds all samples at once"}};
  return tiers;
}

Sketch draw_sketch(const std::string& tier, Draw& draw, const SizeChoice& choice) {
  if (tier == "exact") return draw_exact(draw, choice);
  if (tier == "typical") return draw_typical(draw, choice);
  if (tier == "degenerate") return draw_degenerate(draw, choice);
  if (tier == "huge") return draw_huge(draw, choice);
  return draw_adversarial(draw, choice);
}

/// The same extents with every map turned: what is remembered of the shapes is now wrong.
void transpose_levels(Sketch& sketch) {
  for (Level& level : sketch.levels) std::swap(level.height, level.width);
}

constexpr std::size_t kMostInputs = 6;

/// An input, by its place, and how it must lie in storage.
struct LayoutTurn {
  std::size_t input;
  StorageLayout layout;
};

Shape shape_of_input(const Dims& d, std::size_t input) {
  const std::array<Shape, kMostInputs> shapes{Shape{d.N, d.S, d.M, d.D},
                                              Shape{d.L, 2},
                                              Shape{d.L},
                                              Shape{d.N, d.Q, d.M, d.L, d.P, 2},
                                              Shape{d.N, d.Q, d.M, d.L, d.P},
                                              Shape{d.N, d.Q, d.M * d.D}};
  return shapes[input];
}

DType dtype_of_input(const Sketch& s, std::size_t input) {
  return input == 1 || input == 2 ? DType::kInt64 : s.dtype;
}

/// Of the first `inputs` inputs.
std::vector<LayoutTurn> layout_turns(std::size_t inputs) {
  std::vector<LayoutTurn> all;
  for (std::size_t input = 0; input < inputs; ++input) {
    for (const StorageLayout layout : layouts_of(dtype_of_input({}, input), shape_of_input({}, input).size()))
      all.push_back({input, layout});
  }
  return all;
}

/// Of a case whose turn it is one input is laid out as none of the others, each input and layout in its turn.
std::optional<LayoutTurn> input_turn(std::uint64_t index, std::size_t inputs) {
  const std::optional<std::uint64_t> turn = layout_turn(index);
  if (!turn) return std::nullopt;
  const std::vector<LayoutTurn> turns = layout_turns(inputs);
  return turns[*turn % turns.size()];
}

bool can_take(const Sketch& s, const LayoutTurn& turn) {
  return can_have(turn.layout, dtype_of_input(s, turn.input), shape_of_input(s.dims, turn.input));
}

/// Whether locations overlap so that a point has those of another level, or of another axis: an exact
/// fraction of one side is none of another.
bool mixes_sides(const LayoutTurn& turn) {
  constexpr std::size_t kSamplingLoc = 3;
  return turn.input == kSamplingLoc && turn.layout == StorageLayout::kOverlapping;
}

StorageLayout draw_storage_layout(Draw& draw, int percent) {
  if (!draw.chance(percent)) return StorageLayout::kContiguous;
  return draw.one_of<StorageLayout>({StorageLayout::kOffset, StorageLayout::kSliced, StorageLayout::kSliced,
                                     StorageLayout::kTransposed, StorageLayout::kTransposed,
                                     StorageLayout::kStepped, StorageLayout::kExpanded});
}

void draw_storage_layouts(Draw& draw, const CounterRandom& random, Case& c) {
  const int percent = draw.one_of<int>({0, 0, 0, 0, 40, 80});
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    Tensor& tensor = c.inputs[k].tensor;
    const bool indices = tensor.dtype() == DType::kInt64;
    StorageLayout layout = draw_storage_layout(draw, indices ? percent / 5 : percent);
    // Repeating a level's shape would break the rows that the levels take.
    if (indices && layout == StorageLayout::kExpanded) layout = StorageLayout::kSliced;
    // An output's gradient may come expanded.
    if (layout != StorageLayout::kContiguous)
      tensor = with_storage_layout(tensor.contiguous(), layout, random.stream(k));
  }
}

}  // namespace

/// What cases of a stream are drawn from.
struct OperatorGenerator::Source {
  std::vector<Tier> tiers;
  SizeChoice sizes;
  CounterRandom stream;

  bool draws(std::string_view tier) const {
    return std::ranges::find(tiers, tier, &Tier::name) != tiers.end();
  }
  bool has_large() const { return !sizes.any() && (draws("adversarial") || draws("typical")); }
  /// Whether cases take turns: not where conditions speak of sizes.
  bool has_turns() const { return !sizes.any() && draws("adversarial"); }
  Plan plan(std::uint64_t key) const {
    Draw draw(key);
    const std::string& tier = draw_tier(tiers, draw);
    return {tier, draw_sketch(tier, draw, sizes)};
  }
};

OperatorGenerator::OperatorGenerator(const BlockDefinition& block)
    : block_(block), inputs_(block.inputs().size()) {}

std::vector<Tier> OperatorGenerator::tiers() const {
  return all_tiers();
}

std::vector<TriggerClass> OperatorGenerator::triggers() const {
  return trigger_classes();
}

std::vector<std::string> OperatorGenerator::triggers_hit(const Case& c) const {
  return ms_deform_attn::triggers_hit(c);
}

std::optional<Plan> OperatorGenerator::turn(std::uint64_t, Draw&) const {
  return std::nullopt;
}

ExactBudget OperatorGenerator::budget(const Sketch& sketch) const {
  return exact_budget(sketch);
}

void OperatorGenerator::complete(Draw&, const CounterRandom&, Case&) const {}

void OperatorGenerator::complete_outline(Case&) const {}

Case OperatorGenerator::generate(const StreamChoice& choice, std::uint64_t index) const {
  const Source source = source_of(choice);
  Case c = source.has_large() && is_large(kLargePeriod, source.stream, index) ? large(source, index)
                                                                              : ordinary(source, index);
  c.provenance = {origin_of(choice), c.provenance.tier, choice.seed, index};
  return c;
}

std::optional<Case> OperatorGenerator::outline(const StreamChoice& choice, std::uint64_t index) const {
  if (choice.only.empty()) return std::nullopt;
  const Source source = source_of(choice);
  const Plan plan = plan_of(source, is_sibling(index) ? index - 1 : index);
  const Dims& d = plan.sketch.dims;
  const DType dtype = plan.sketch.dtype;
  Case c = assemble(plan.sketch, repeated_zero(dtype, {d.N, d.S, d.M, d.D}),
                    repeated_zero(dtype, {d.N, d.Q, d.M, d.L, d.P, 2}),
                    repeated_zero(dtype, {d.N, d.Q, d.M, d.L, d.P}));
  complete_outline(c);
  c.provenance = {origin_of(choice), plan.tier, choice.seed, index};
  return c;
}

OperatorGenerator::Source OperatorGenerator::source_of(const StreamChoice& choice) const {
  const std::vector<Tier> chosen = choose_tiers(all_tiers(), choice.tiers);
  Source source{chosen, SizeChoice(choice.only), case_stream(choice, block_.name(), chosen)};
  source.sizes.check_names(block_.name(), size_names());
  return source;
}

/// Of case `index`. Of adversarial cases one in kLimitPeriod goes beyond a limit, each limit in its turn.
/// Where it is a layout's turn, one whose extents show it: most do.
Plan OperatorGenerator::plan_of(const Source& source, std::uint64_t index) const {
  constexpr std::uint64_t kTries = 64;
  if (source.has_turns()) {
    Draw draw(source.stream.bits(index));
    if (is_large(kLimitPeriod, source.stream.stream(5), index))
      return {"adversarial", draw_beyond(static_cast<Limit>(index / kLimitPeriod % kLimits), draw)};
    if (std::optional<Plan> own = turn(index, draw)) return *std::move(own);
  }
  Plan plan = source.plan(source.stream.bits(index));
  const std::optional<LayoutTurn> layout = input_turn(index, inputs_);
  const auto suits = [&] {
    return can_take(plan.sketch, *layout) && !(plan.tier == "exact" && mixes_sides(*layout));
  };
  for (std::uint64_t k = 0; layout && k < kTries && !suits(); ++k)
    plan = source.plan(source.stream.stream(4).stream(index).bits(k));
  return plan;
}

Case OperatorGenerator::large(const Source& source, std::uint64_t index) const {
  const std::uint64_t key = source.stream.bits(index);
  Case c = large_case(index / kLargePeriod, key);
  Draw draw(key);
  complete(draw, source.stream.stream(2).stream(index), c);
  return c;
}

Case OperatorGenerator::ordinary(const Source& source, std::uint64_t index) const {
  if (!is_sibling(index)) return drawn(source, index, Sibling::kNone);
  constexpr std::array kinds{Sibling::kTransposedExtents, Sibling::kTransposedExtents, Sibling::kExtents,
                             Sibling::kAllButOneInput};
  const CounterRandom choice = source.stream.stream(3).stream(index);
  const Sibling kind = kinds[choice.below(0, kinds.size())];
  Case c = drawn(source, index, kind);
  if (kind != Sibling::kAllButOneInput) return c;
  Case before = drawn(source, index - 1, Sibling::kNone);
  std::vector<NamedTensor*> floating;
  for (NamedTensor& input : before.inputs) {
    if (input.tensor.dtype() != DType::kInt64) floating.push_back(&input);
  }
  NamedTensor& other = *floating[choice.below(1, floating.size())];
  other.tensor = c.input(other.name).contiguous();
  return before;
}

/// The extents of case `index`, or of the one before it, with tensors of its own.
Case OperatorGenerator::drawn(const Source& source, std::uint64_t index, Sibling sibling) const {
  Plan plan = plan_of(source, sibling == Sibling::kNone ? index : index - 1);
  if (sibling == Sibling::kTransposedExtents) transpose_levels(plan.sketch);
  const CounterRandom elements = source.stream.stream(2).stream(index);
  Draw draw(elements.bits(0));
  Case c = fill(plan, draw, elements);
  c.provenance.tier = plan.tier;
  complete(draw, elements, c);
  if (const std::optional<LayoutTurn> turn = input_turn(index, inputs_)) {
    for (NamedTensor& input : c.inputs) input.tensor = input.tensor.contiguous();
    Tensor& tensor = c.inputs[turn->input].tensor;
    const bool inexact = plan.tier == "exact" && mixes_sides(*turn);
    tensor =
        with_storage_layout(tensor, inexact ? StorageLayout::kTransposed : turn->layout, elements.stream(4));
  } else {
    draw_storage_layouts(draw, elements.stream(4), c);
  }
  return c;
}

Case OperatorGenerator::fill(const Plan& plan, Draw& draw, const CounterRandom& random) const {
  const auto& [tier, s, chosen_locations] = plan;
  if (tier == "exact") {
    ExactTensors tensors = make_exact(s, budget(s), random);
    return assemble(s, std::move(tensors.value), std::move(tensors.sampling_loc),
                    std::move(tensors.attn_weight));
  }
  if (tier == "huge") {
    return assemble(s, make_value(s, ValueStyle::kNormal, random.stream(1)),
                    make_locations(s, mostly_outside(), random.stream(2)),
                    make_weights(s, WeightStyle::kNormalised, random.stream(3)));
  }
  const bool typical = tier == "typical" || (tier == "nonfinite" && draw.chance(50));
  LocationStyle places = typical ? draw_typical_locations(draw, s) : draw_adversarial_locations(draw, s);
  if (chosen_locations) places = *chosen_locations;
  const ValueStyle values = typical ? ValueStyle::kNormal : draw_value_style(draw);
  const WeightStyle weights = typical ? WeightStyle::kNormalised : draw_weight_style(draw, values);
  Tensor value = make_value(s, values, random.stream(1));
  Tensor locations = make_locations(s, places, random.stream(2));
  Tensor attention = make_weights(s, weights, random.stream(3));
  if (tier == "nonfinite") add_nonfinite(s, draw, value, locations, attention);
  return assemble(s, std::move(value), std::move(locations), std::move(attention));
}

const Generator& generator() {
  static const OperatorGenerator instance(block());
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
