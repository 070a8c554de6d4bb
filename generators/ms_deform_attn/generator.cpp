#include "generators/ms_deform_attn/generator.h"

#include "generators/common/case_stream.h"
#include "generators/common/storage_layout.h"
#include "generators/ms_deform_attn/exact.h"
#include "generators/ms_deform_attn/locations.h"
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

/// What a case shares with the one before it.
enum class Sibling { kNone, kExtents, kTransposedExtents, kAllButOneInput };

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

/// What cases of a stream are drawn from.
struct Source {
  std::vector<Tier> tiers;
  SizeChoice sizes;
  CounterRandom stream;
};

/// The same extents with every map turned: what is remembered of the shapes is now wrong.
void transpose_levels(Sketch& sketch) {
  for (Level& level : sketch.levels) std::swap(level.height, level.width);
}

/// An input, by its place, and how it must lie in storage.
struct LayoutTurn {
  std::size_t input;
  StorageLayout layout;
};

Shape shape_of_input(const Dims& d, std::size_t input) {
  const std::array<Shape, 5> shapes{Shape{d.N, d.S, d.M, d.D}, Shape{d.L, 2}, Shape{d.L},
                                    Shape{d.N, d.Q, d.M, d.L, d.P, 2}, Shape{d.N, d.Q, d.M, d.L, d.P}};
  return shapes[input];
}

DType dtype_of_input(const Sketch& s, std::size_t input) {
  return input == 1 || input == 2 ? DType::kInt64 : s.dtype;
}

const std::vector<LayoutTurn>& layout_turns() {
  static const std::vector<LayoutTurn> turns = [] {
    std::vector<LayoutTurn> all;
    for (std::size_t input = 0; input < 5; ++input) {
      for (const StorageLayout layout :
           layouts_of(dtype_of_input({}, input), shape_of_input({}, input).size()))
        all.push_back({input, layout});
    }
    return all;
  }();
  return turns;
}

/// Of a case whose turn it is one input is laid out as none of the others, each input and layout in its turn.
std::optional<LayoutTurn> input_turn(std::uint64_t index) {
  const std::optional<std::uint64_t> turn = layout_turn(index);
  if (!turn) return std::nullopt;
  return layout_turns()[*turn % layout_turns().size()];
}

bool can_take(const Sketch& s, const LayoutTurn& turn) {
  return can_have(turn.layout, dtype_of_input(s, turn.input), shape_of_input(s.dims, turn.input));
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
    tensor = with_storage_layout(tensor, layout, random.stream(k));
  }
}

/// Tier and extents of one case.
struct Plan {
  std::string tier;
  Sketch sketch;
};

Plan draw_plan(const Source& source, std::uint64_t key) {
  Draw draw(key);
  const std::string& tier = draw_tier(source.tiers, draw);
  return {tier, draw_sketch(tier, draw, source.sizes)};
}

/// One case in kLimitPeriod of the adversarial ones goes beyond a limit, each limit in its turn. Not where
/// conditions speak of sizes.
std::optional<Limit> limit_turn(const Source& source, std::uint64_t index) {
  const bool adversarial = std::ranges::find(source.tiers, "adversarial", &Tier::name) != source.tiers.end();
  if (!adversarial || source.sizes.any() || !is_large(kLimitPeriod, source.stream.stream(5), index))
    return std::nullopt;
  return static_cast<Limit>(index / kLimitPeriod % kLimits);
}

/// Of case `index`. Where it is a layout's turn, one whose extents show it: most do.
Plan plan_of(const Source& source, std::uint64_t index) {
  constexpr std::uint64_t kTries = 64;
  if (const std::optional<Limit> limit = limit_turn(source, index)) {
    Draw draw(source.stream.bits(index));
    return {"adversarial", draw_beyond(*limit, draw)};
  }
  Plan plan = draw_plan(source, source.stream.bits(index));
  const std::optional<LayoutTurn> turn = input_turn(index);
  for (std::uint64_t k = 0; turn && k < kTries && !can_take(plan.sketch, *turn); ++k)
    plan = draw_plan(source, source.stream.stream(4).stream(index).bits(k));
  return plan;
}

Case fill(const std::string& tier, const Sketch& s, Draw& draw, const CounterRandom& random) {
  if (tier == "exact") {
    ExactTensors tensors = make_exact(s, random);
    return assemble(s, std::move(tensors.value), std::move(tensors.sampling_loc),
                    std::move(tensors.attn_weight));
  }
  if (tier == "huge") {
    return assemble(s, make_value(s, ValueStyle::kNormal, random.stream(1)),
                    make_locations(s, mostly_outside(), random.stream(2)),
                    make_weights(s, WeightStyle::kNormalised, random.stream(3)));
  }
  const bool typical = tier == "typical" || (tier == "nonfinite" && draw.chance(50));
  const LocationStyle places =
      typical ? draw_typical_locations(draw, s) : draw_adversarial_locations(draw, s);
  const ValueStyle values = typical ? ValueStyle::kNormal : draw_value_style(draw);
  const WeightStyle weights = typical ? WeightStyle::kNormalised : draw_weight_style(draw, values);
  Tensor value = make_value(s, values, random.stream(1));
  Tensor locations = make_locations(s, places, random.stream(2));
  Tensor attention = make_weights(s, weights, random.stream(3));
  if (tier == "nonfinite") add_nonfinite(s, draw, value, locations, attention);
  return assemble(s, std::move(value), std::move(locations), std::move(attention));
}

class MsDeformAttnGenerator : public Generator {
 public:
  std::vector<Tier> tiers() const override { return all_tiers(); }

  std::vector<TriggerClass> triggers() const override { return trigger_classes(); }

  Case generate(const StreamChoice& choice, std::uint64_t index) const override {
    const Source source = source_of(choice);
    const bool large =
        !source.sizes.any() && has_large(source.tiers) && is_large(kLargePeriod, source.stream, index);
    Case c = large ? large_case(index / kLargePeriod, source.stream.bits(index)) : ordinary(source, index);
    c.provenance = {origin_of(choice), c.provenance.tier, choice.seed, index};
    return c;
  }

  std::optional<Case> outline(const StreamChoice& choice, std::uint64_t index) const override {
    if (choice.only.empty()) return std::nullopt;
    const Source source = source_of(choice);
    const auto [tier, s] = plan_of(source, is_sibling(index) ? index - 1 : index);
    const Dims& d = s.dims;
    Case c = assemble(s, repeated_zero(s.dtype, {d.N, d.S, d.M, d.D}),
                      repeated_zero(s.dtype, {d.N, d.Q, d.M, d.L, d.P, 2}),
                      repeated_zero(s.dtype, {d.N, d.Q, d.M, d.L, d.P}));
    c.provenance = {origin_of(choice), tier, choice.seed, index};
    return c;
  }

  std::vector<std::string> triggers_hit(const Case& c) const override {
    return ms_deform_attn::triggers_hit(c);
  }

 private:
  static Source source_of(const StreamChoice& choice) {
    const std::vector<Tier> chosen = choose_tiers(all_tiers(), choice.tiers);
    Source source{chosen, SizeChoice(choice.only), case_stream(choice, block().name(), chosen)};
    source.sizes.check_names(block().name(), size_names());
    return source;
  }

  static bool has_large(const std::vector<Tier>& chosen) {
    return std::ranges::any_of(
        chosen, [](const Tier& tier) { return tier.name == "adversarial" || tier.name == "typical"; });
  }

  static Case ordinary(const Source& source, std::uint64_t index) {
    if (!is_sibling(index)) return drawn(source, index, Sibling::kNone);
    constexpr std::array kinds{Sibling::kTransposedExtents, Sibling::kTransposedExtents, Sibling::kExtents,
                               Sibling::kAllButOneInput};
    const CounterRandom choice = source.stream.stream(3).stream(index);
    const Sibling kind = kinds[choice.below(0, kinds.size())];
    Case c = drawn(source, index, kind);
    if (kind != Sibling::kAllButOneInput) return c;
    Case before = drawn(source, index - 1, Sibling::kNone);
    constexpr std::array inputs{"value", "sampling_loc", "attn_weight"};
    const std::string_view other = inputs[choice.below(1, inputs.size())];
    for (NamedTensor& input : before.inputs) {
      if (input.name == other) input.tensor = c.input(other).contiguous();
    }
    return before;
  }

  /// The extents of case `index`, or of the one before it, with tensors of its own.
  static Case drawn(const Source& source, std::uint64_t index, Sibling sibling) {
    auto [tier, sketch] = plan_of(source, sibling == Sibling::kNone ? index : index - 1);
    if (sibling == Sibling::kTransposedExtents) transpose_levels(sketch);
    const CounterRandom elements = source.stream.stream(2).stream(index);
    Draw draw(elements.bits(0));
    Case c = fill(tier, sketch, draw, elements);
    if (const std::optional<LayoutTurn> turn = input_turn(index)) {
      Tensor& tensor = c.inputs[turn->input].tensor;
      tensor = with_storage_layout(tensor, turn->layout, elements.stream(4));
    } else {
      draw_storage_layouts(draw, elements.stream(4), c);
    }
    c.provenance.tier = tier;
    return c;
  }
};

}  // namespace

const Generator& generator() {
  static const MsDeformAttnGenerator instance;
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
