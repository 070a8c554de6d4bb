#include "generators/staged/generator.h"

#include "blocks/block_list.h"
#include "blocks/extents.h"
#include "core/error.h"
#include "core/random.h"
#include "core/sixteen_bits.h"
#include "generators/common/case_stream.h"
#include "generators/common/storage_layout.h"
#include "generators/staged/geometry.h"
#include "generators/staged/models/adaptations.h"
#include "generators/staged/values.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// One case in so many has a real model's width.
constexpr std::uint64_t kLargePeriod = 200;

const std::vector<Tier>& all_tiers() {
  static const std::vector<Tier> tiers{
      {"typical", 40, "scaled-down real models: pyramids of maps, a few layers, perturbed weights"},
      {"adversarial", 50,
       "extents, maps, masks, weights, features and storage layouts at which modules go wrong"},
      {"degenerate", 10, "empty, or of one element along most axes"}};
  return tiers;
}

DeepTier tier_of(const std::string& name) {
  if (name == "typical") return DeepTier::kTypical;
  return name == "degenerate" ? DeepTier::kDegenerate : DeepTier::kAdversarial;
}

/// The same extents with every map turned: what is remembered of the shapes is now wrong.
void transpose_maps(Sketch& sketch) {
  for (LevelSize& level : sketch.levels) std::swap(level.height, level.width);
  for (auto& [name, height] : sketch.extents) {
    if (name.front() != 'H') continue;
    std::string other = name;
    other.front() = 'W';
    std::swap(height, sketch.at(other));
  }
}

/// Every input in another layout than contiguous, each in all that it can have as turn follows turn.
void lay_out_all(std::uint64_t turn, const CounterRandom& random, Case& c) {
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    Tensor& tensor = c.inputs[k].tensor;
    const auto layouts = layouts_of(tensor.dtype(), tensor.shape().size());
    if (!layouts.empty())
      tensor = with_storage_layout(tensor, layouts[(turn + k) % layouts.size()], random.stream(k));
  }
}

void draw_storage_layouts(DeepTier tier, Draw& draw, const CounterRandom& random, Case& c) {
  const bool often = tier == DeepTier::kAdversarial;
  const int percent = often ? draw.one_of<int>({0, 0, 0, 30, 60}) : draw.one_of<int>({0, 0, 0, 0, 0, 20});
  if (percent == 0) return;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    Tensor& tensor = c.inputs[k].tensor;
    const bool indices = tensor.dtype() == DType::kInt64;
    const int parameter = is_parameter(c.inputs[k].name) ? 2 : 1;
    if (!draw.chance(indices ? percent / 5 : percent / parameter)) continue;
    auto layout = draw.one_of<StorageLayout>({StorageLayout::kOffset, StorageLayout::kSliced,
                                              StorageLayout::kTransposed, StorageLayout::kTransposed,
                                              StorageLayout::kStepped, StorageLayout::kExpanded});
    // Repeating an index would break what sizes and masks say of each other.
    if (!is_floating(tensor.dtype()) && layout == StorageLayout::kExpanded) layout = StorageLayout::kSliced;
    tensor = with_storage_layout(tensor, layout, random.stream(k));
  }
}

/// What cases of a stream are drawn from.
struct Source {
  const BlockDefinition& block;
  const Adapt& adapt;
  std::vector<Tier> tiers;
  SizeChoice sizes;
  CounterRandom stream;
};

/// Sizes by the names that attributes and the operator's block have for them.
std::map<std::string, std::string> other_names(const BlockDefinition& block) {
  std::map<std::string, std::string> names{{"N", "B"}};
  for (const auto& [extent, attribute] : block.extent_attributes()) names[attribute] = extent;
  const std::vector<TensorSpec> specs = block.tensors(block.default_attributes());
  const auto has = [&](const char* extent) {
    return std::ranges::any_of(specs, [&](const TensorSpec& spec) { return has_extent(spec, extent); });
  };
  if (!has("Q")) names["Q"] = "S";  // an encoder's queries are its pixels
  return names;
}

Source source_of(const BlockDefinition& block, const Adapt& adapt, const StreamChoice& choice) {
  const std::vector<Tier> chosen = choose_tiers(all_tiers(), choice.tiers);
  const SizeChoice sizes = choice.only.empty() ? SizeChoice() : SizeChoice(choice.only, other_names(block));
  return {block, adapt, chosen, sizes, case_stream(choice, block.name(), chosen)};
}

bool has_large(const Source& source, std::uint64_t index) {
  return source.tiers.front().name == "typical" && is_large(kLargePeriod, source.stream, index);
}

/// A case's sketch and the tier that it is of.
struct Plan {
  std::string tier;
  Sketch sketch;
};

Plan draw_plan(const Source& source, std::uint64_t key, bool large) {
  Draw draw(key);
  const std::string tier = large ? source.tiers.front().name : draw_tier(source.tiers, draw);
  return {tier, draw_sketch(source.block, tier_of(tier), large, source.adapt, source.sizes, draw)};
}

/// What a block makes of sizes may break a condition: then the next sketch is drawn.
Plan plan_of(const Source& source, std::uint64_t index, bool large) {
  constexpr std::uint64_t kTries = 200;
  Plan plan = draw_plan(source, source.stream.bits(index), large);
  for (std::uint64_t k = 0; !source.sizes.admits(sizes_of(plan.sketch)); ++k) {
    if (k == kTries) {
      std::vector<std::string> known;
      for (const auto& [name, size] : sizes_of(plan.sketch)) known.push_back(name);
      source.sizes.check_names(source.block.name(), known);
      throw InputError(fmt::format("--only {}: block {}: none of {} cases that were drawn meets it",
                                   source.sizes.text(), source.block.name(), kTries));
    }
    plan = draw_plan(source, source.stream.stream(3).stream(index).bits(k), large);
  }
  return plan;
}

/// What tensors a case of these sizes has: those of integers as they are, of the others a zero each.
Case outline_of(const BlockDefinition& block, const Sketch& sketch, const CounterRandom& random) {
  Case c{block.name(), sketch.attributes, {}, {}};
  for (const TensorSpec& spec : block.tensors(sketch.attributes)) {
    if (spec.optional && !sketch.given.contains(spec.name)) continue;
    const Shape shape = shape_of(spec, sketch.extents);
    const DType dtype = spec.kind == TensorSpec::Kind::kBool ? DType::kBool : sketch.dtype;
    c.inputs.push_back({spec.name, spec.kind == TensorSpec::Kind::kInt64
                                       ? *make_geometry(spec, shape, sketch, random)
                                       : repeated_zero(dtype, shape)});
  }
  return c;
}

/// The sketch of case `index`, or for a sibling of the one before it with its maps transposed.
Plan plan_with_sibling(const Source& source, std::uint64_t index, bool large) {
  const bool sibling = !large && is_sibling(index);
  Plan plan = plan_of(source, sibling ? index - 1 : index, large);
  if (sibling) {
    Sketch transposed = plan.sketch;
    transpose_maps(transposed);
    if (source.sizes.admits(sizes_of(transposed))) plan.sketch = std::move(transposed);
  }
  return plan;
}

Case drawn(const Source& source, std::uint64_t index, bool large) {
  const auto [tier, sketch] = plan_with_sibling(source, index, large);
  const CounterRandom elements = source.stream.stream(2).stream(index);
  Case c = fill_sketch(source.block, sketch, elements);
  Draw draw(elements.bits(0));
  if (const std::optional<std::uint64_t> turn = layout_turn(index)) {
    lay_out_all(*turn, elements.stream(1), c);
  } else {
    draw_storage_layouts(sketch.tier, draw, elements.stream(1), c);
  }
  c.provenance.tier = tier;
  return c;
}

}  // namespace

DeepGenerator::DeepGenerator(const BlockDefinition& block)
    : block_(block), adapt_(adaptation_of(block.name())), triggers_(block) {}

std::vector<Tier> DeepGenerator::tiers() const {
  return all_tiers();
}

std::vector<TriggerClass> DeepGenerator::triggers() const {
  return triggers_.classes();
}

std::vector<std::string> DeepGenerator::triggers_hit(const Case& c) const {
  return triggers_.hit(c);
}

Case DeepGenerator::generate(const StreamChoice& choice, std::uint64_t index) const {
  const Source source = source_of(block_, adapt_, choice);
  Case c = drawn(source, index, has_large(source, index));
  c.provenance = {origin_of(choice), c.provenance.tier, choice.seed, index};
  return c;
}

std::optional<Case> DeepGenerator::outline(const StreamChoice& choice, std::uint64_t index) const {
  if (choice.only.empty()) return std::nullopt;
  const Source source = source_of(block_, adapt_, choice);
  const auto [tier, sketch] = plan_with_sibling(source, index, has_large(source, index));
  Case c = outline_of(block_, sketch, source.stream.stream(2).stream(index).stream(2));
  c.provenance = {origin_of(choice), tier, choice.seed, index};
  return c;
}

const std::deque<DeepGenerator>& deep_generators() {
  static const std::deque<DeepGenerator> generators = [] {
    std::deque<DeepGenerator> deep;
    for (const BlockDefinition* block : block_definitions()) {
      if (block->is_resizable()) deep.emplace_back(*block);
    }
    return deep;
  }();
  return generators;
}

Case fill_sketch(const BlockDefinition& block, const Sketch& sketch, const CounterRandom& random) {
  if (is_sixteen_bits(sketch.dtype)) {
    Sketch wide = sketch;
    wide.dtype = DType::kFloat32;
    return block.converted(fill_sketch(block, wide, random), sketch.dtype);
  }
  Case c{block.name(), sketch.attributes, {}, {}};
  const CounterRandom geometry = random.stream(2);
  std::uint64_t k = 100;
  for (const TensorSpec& spec : block.tensors(sketch.attributes)) {
    ++k;
    if (spec.optional && !sketch.given.contains(spec.name)) continue;
    const Shape shape = shape_of(spec, sketch.extents);
    std::optional<Tensor> tensor = make_geometry(spec, shape, sketch, geometry);
    if (!tensor) tensor = make_floating(spec, shape, sketch, random.stream(k));
    c.inputs.push_back({spec.name, *std::move(tensor)});
  }
  return c;
}

}  // namespace deformdiff
