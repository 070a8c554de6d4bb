#include "generators/staged/sketch.h"

#include "blocks/attribute_rules.h"
#include "blocks/extents.h"
#include "blocks/tensor_list.h"
#include "generators/staged/levels.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace deformdiff {
namespace {

/// Where an extent's value comes from, by tier.
struct Choices {
  std::vector<std::int64_t> typical, adversarial, degenerate, large;
};

const Choices& choices_of(const std::string& extent) {
  static const std::map<std::string, Choices> table{
      {"B", {{1, 1, 2, 3}, {1, 2, 3, 4, 5}, {0, 1, 1, 1}, {1, 1, 2}}},
      {"Q", {{3, 5, 6, 8, 12, 20}, {1, 2, 7, 9, 13, 17, 33}, {0, 1, 1, 1}, {7, 20}}},
      {"K", {{6, 15, 20, 35, 60}, {1, 2, 5, 11, 23, 31, 65}, {1}, {35, 77}}},
      {"M", {{2, 3, 4, 4}, {1, 2, 3, 4, 5, 6, 9}, {1, 1, 2}, {8}}},
      {"D", {{4, 8, 8, 12, 16}, {1, 2, 3, 5, 6, 7, 9, 10, 17}, {1}, {32}}},
      {"Dd", {{4, 8, 8, 12, 16}, {1, 2, 3, 5, 6, 7, 9, 10, 17}, {1}, {32}}},
      {"C", {{12, 16, 24, 32}, {1, 2, 3, 5, 7, 9, 15, 17, 33}, {1}, {256}}},
      {"L", {{3}, {1, 1, 2, 3, 3, 4, 5}, {1}, {3}}},
      {"P", {{4, 4, 4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, {1}, {4}}},
      {"F", {{16, 24, 32, 48}, {1, 2, 3, 7, 13, 19, 37}, {1}, {256, 1024}}},
      {"Fd", {{16, 24, 32, 48}, {1, 2, 3, 7, 13, 19, 37}, {1}, {256, 1024}}},
      {"E", {{8, 12, 16, 24}, {1, 2, 3, 5, 7, 11, 21}, {1}, {64}}},
      {"classes", {{4, 6, 8, 20}, {1, 2, 3, 8, 10, 29}, {1}, {81}}},
  };
  // Channels of a backbone's maps.
  static const Choices features{{8, 12, 16, 20, 24}, {1, 2, 3, 5, 6, 7, 10, 14}, {1}, {32, 48}};
  const auto found = table.find(extent);
  return found == table.end() ? features : found->second;
}

std::int64_t draw_extent(const std::string& name, const Sketch& sketch, std::set<std::int64_t>& used,
                         Draw& draw) {
  const Choices& choices = choices_of(name);
  if (sketch.large) return draw.one_of(choices.large);
  if (sketch.tier == DeepTier::kTypical) return draw.one_of(choices.typical);
  if (sketch.tier == DeepTier::kDegenerate) {
    // Something must be left to go wrong: not every extent is one.
    return draw.chance(85) ? draw.one_of(choices.degenerate) : draw.one_of(choices.typical);
  }
  std::int64_t value = draw.one_of(choices.adversarial);
  for (int tries = 0; tries < 4 && used.contains(value); ++tries) value = draw.one_of(choices.adversarial);
  used.insert(value);
  return value;
}

/// Names of the block's axes that an ordinary draw sets; those of levels' maps are left out.
std::set<std::string> names_of(const BlockDefinition& block, const Attributes& attributes) {
  std::set<std::string> names{"B", "Q", "M", "D", "L", "P", "F", "E", "C", "K", "Dd", "Fd", "classes"};
  std::set<std::string> wanted;
  for (const TensorSpec& spec : block.tensors(attributes)) {
    for (const Factors& axis : parse_axes(spec.axes)) {
      for (const std::string& name : axis) {
        const bool features = name.size() > 1 && name.front() == 'I';
        if (names.contains(name) || features) wanted.insert(name);
      }
    }
  }
  for (const auto& [extent, attribute] : block.extent_attributes()) {
    if (names.contains(extent)) wanted.insert(extent);
  }
  return wanted;
}

std::set<Twist> draw_twists(DeepTier tier, Draw& draw) {
  std::set<Twist> twists;
  if (tier != DeepTier::kAdversarial) {
    if (draw.chance(15)) twists.insert(Twist::kPerHeadMask);
    return twists;
  }
  for (std::int64_t k = draw.between(0, 3); k > 0; --k) {
    twists.insert(static_cast<Twist>(draw.between(0, static_cast<int>(Twist::kWideRange))));
  }
  for (const Twist mask : {Twist::kScatteredMask, Twist::kWholeRowsMask, Twist::kPerHeadMask}) {
    if (draw.chance(25)) twists.insert(mask);
  }
  return twists;
}

/// Layers are few in random cases: every one costs as much as all that is around it.
void draw_attributes(const BlockDefinition& block, Sketch& sketch, Draw& draw) {
  sketch.attributes = block.default_attributes();
  const bool one = sketch.large || sketch.tier == DeepTier::kDegenerate;
  for (auto& [name, value] : sketch.attributes) {
    if (name == "num_encoder_layers") {
      const bool many = sketch.tier == DeepTier::kTypical && draw.chance(2);
      value = one ? 1 : many ? 6 : draw.one_of<double>({1, 1, 1, 1, 2, 2, 2, 3});
    } else if (name == "num_decoder_layers") {
      value = one ? static_cast<double>(draw.between(0, 1)) : static_cast<double>(draw.between(1, 4));
    } else if (name == "batch_first" || name == "residual_inside" || name == "pre_norm" || name == "gelu") {
      if (draw.chance(30)) value = 1 - value;
    } else if (name == "eps") {
      if (draw.chance(10)) value = draw.one_of<double>({1e-6, 1e-3, 1e-12});
    } else if (name == "im2col_step" && sketch.tier == DeepTier::kAdversarial) {
      if (draw.chance(25)) value = static_cast<double>(draw.between(1, 3));
    } else if (name == "mask_threshold" && sketch.tier == DeepTier::kAdversarial) {
      if (draw.chance(15)) value = draw.one_of<double>({0.25, 0.3, 0.75});
    }
  }
}

/// Attributes that conditions speak of: the nearest values that the block allows.
void choose_attributes(const BlockDefinition& block, Sketch& sketch, Draw& draw) {
  constexpr std::int64_t kMost = 1 << 10;
  for (auto& [name, value] : sketch.attributes) {
    if (!sketch.choice.names(name)) continue;
    const auto drawn = static_cast<std::int64_t>(std::floor(value));
    if (!sketch.choice.admits(name, drawn))
      value = static_cast<double>(sketch.choice.fit(name, drawn, 0, kMost, draw));
  }
  check_attributes(block, sketch.attributes);
}

/// Maps of the sides, or of as many pixels together, as conditions say.
void choose_levels(Sketch& sketch, Draw& draw) {
  std::vector<Sides> maps;
  for (std::size_t l = 0; l < sketch.levels.size(); ++l) {
    const auto number = static_cast<std::int64_t>(l);
    const LevelSize& level = sketch.levels[l];
    maps.push_back({sketch.choice.fit(numbered("H", number), level.height, 1, kLargestSize, draw),
                    sketch.choice.fit(numbered("W", number), level.width, 1, kLargestSize, draw)});
  }
  const std::int64_t drawn = total_pixels(sketch.levels);
  const std::int64_t pixels = sketch.choice.fit("S", drawn, sketch.at("L"), kLargestSize, draw);
  if (pixels != drawn) fill_pixels(maps, pixels);
  for (std::size_t l = 0; l < maps.size(); ++l) sketch.levels[l] = {maps[l].height, maps[l].width};
}

}  // namespace

Extents sizes_of(const Sketch& sketch) {
  Extents sizes = sketch.extents;
  for (const auto& [name, value] : sketch.attributes) {
    if (value == std::floor(value)) sizes[name] = static_cast<std::int64_t>(value);
  }
  if (sizes.contains("B")) sizes["N"] = sizes["B"];
  return sizes;
}

Sketch draw_sketch(const BlockDefinition& block, DeepTier tier, bool large, const Adapt& adapt,
                   const SizeChoice& choice, Draw& draw) {
  Sketch sketch{tier, draw.chance(70) ? DType::kFloat32 : DType::kFloat64, {}, {}, {}, {}, {}, large, choice};
  draw_attributes(block, sketch, draw);
  choose_attributes(block, sketch, draw);
  std::set<std::int64_t> used;
  if (names_of(block, sketch.attributes).contains("L")) {
    const std::int64_t most = choice.most_levels();
    sketch.extents["L"] =
        choice.fit("L", std::min(draw_extent("L", sketch, used, draw), most), 1, most, draw);
  }
  if (sketch.attributes.contains("num_levels")) {
    sketch.attributes["num_levels"] = static_cast<double>(sketch.at("L"));
  }
  for (const std::string& name : names_of(block, sketch.attributes)) {
    if (name != "L") sketch.set(name, draw_extent(name, sketch, used, draw), draw);
  }
  if (sketch.extents.contains("L")) {
    sketch.levels = large ? draw_small_levels(sketch.at("L"), draw) : draw_levels(tier, sketch.at("L"), draw);
    choose_levels(sketch, draw);
  }
  sketch.twists = draw_twists(tier, draw);
  for (const TensorSpec& spec : block.tensors(sketch.attributes)) {
    const bool parameter = is_parameter(spec.name);  // given or not all together: adapt() decides
    if (spec.optional && !parameter && draw.chance(60)) sketch.given.insert(spec.name);
  }
  adapt(sketch, draw);
  for (const auto& [extent, attribute] : block.extent_attributes()) {
    if (sketch.extents.contains(extent)) {
      sketch.attributes[attribute] = static_cast<double>(sketch.at(extent));
    }
  }
  sketch.extents["S"] = total_pixels(sketch.levels);
  return sketch;
}

void fit_width(Sketch& sketch, const std::string& of_a_head, std::int64_t most, Draw& draw) {
  std::int64_t& heads = sketch.at("M");
  std::int64_t& channels = sketch.at(of_a_head);
  // An odd number of channels a head is worth keeping.
  if (of_a_head == "D" && channels % 2 == 1 && heads % 4 != 0 && draw.chance(60)) heads = 4;
  const auto rounded = [&] { return channels * (4 / std::gcd<std::int64_t>(4, heads * channels)); };
  while (!sketch.large && channels > 1 && heads * rounded() > most) --channels;
  channels = rounded();
  if (sketch.choice.admits(of_a_head, channels)) return;
  // Heads by fours leave the channels free.
  constexpr std::int64_t kMostChannels = 4096;
  if (!sketch.choice.names("M")) heads = 4;
  const std::int64_t whole = 4 / std::gcd<std::int64_t>(4, heads);
  while (channels < kMostChannels && (!sketch.choice.admits(of_a_head, channels) || channels % whole != 0))
    ++channels;
}

std::int64_t draw_groups(std::int64_t channels, Draw& draw) {
  std::vector<std::int64_t> divisors;
  for (std::int64_t g = 1; g <= channels; ++g) {
    if (channels % g == 0) divisors.push_back(g);
  }
  if (draw.chance(20)) return channels;
  return draw.one_of(divisors);
}

void name_maps(Sketch& sketch, Draw& draw) {
  std::int64_t height = 1;
  std::int64_t width = 1;
  for (std::size_t l = 0; l < sketch.levels.size(); ++l) {
    sketch.extents[numbered("H", static_cast<std::int64_t>(l))] = sketch.levels[l].height;
    sketch.extents[numbered("W", static_cast<std::int64_t>(l))] = sketch.levels[l].width;
    height = std::max(height, sketch.levels[l].height);
    width = std::max(width, sketch.levels[l].width);
  }
  const bool odd = sketch.tier != DeepTier::kTypical;
  std::int64_t map_height = odd ? draw.between(1, 13) : 2 * height - draw.between(0, 1);
  std::int64_t map_width = odd ? draw.between(1, 13) : 2 * width - draw.between(0, 1);
  if (sketch.tier == DeepTier::kDegenerate && draw.chance(60)) map_height = map_width = 1;
  sketch.set("H", map_height, draw);
  sketch.set("W", map_width, draw);
}

void name_map(Sketch& sketch, Draw& draw) {
  sketch.levels = draw_levels(sketch.tier, 1, draw);
  const LevelSize& map = sketch.levels.front();
  const std::int64_t finer = sketch.tier == DeepTier::kTypical ? draw.between(1, 8) : 1;
  sketch.set("H", map.height * finer, draw);
  sketch.set("W", map.width * finer, draw);
}

void give_input_projections(Sketch& sketch) {
  for (std::int64_t l = 0; l < sketch.at("L"); ++l) {
    const std::string module = numbered("param.model.transformer_module.input_projections.", l);
    sketch.given.insert(module + ".weight");
    sketch.given.insert(module + ".bias");
  }
}

void draw_position_attributes(Sketch& sketch, Draw& draw) {
  const int percent = sketch.tier == DeepTier::kAdversarial ? 25 : 5;
  const auto maybe = [&](const char* name, const std::vector<double>& values) {
    if (draw.chance(percent)) sketch.attributes[name] = draw.one_of(values);
  };
  maybe("position_normalize", {0});
  maybe("position_offset", {-0.5, 0.5});
  maybe("position_temperature", {20, 100, 1});
  maybe("position_scale", {1, 3});
  maybe("position_eps", {1e-3, 1e-12});
}

}  // namespace deformdiff
