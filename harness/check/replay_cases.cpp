#include "check/replay_cases.h"

#include "blocks/extents.h"
#include "blocks/layouts/inference.h"
#include "core/error.h"
#include "generators/staged/generator.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr std::int64_t kFree = 7;

/// Of an extent that nothing tells. Channels that no projection changes are those of the queries.
std::int64_t free_extent(const std::string& name, const Extents& known) {
  const bool is_width = name == "C" && known.contains("M") && known.contains("D");
  return is_width ? known.at("M") * known.at("D") : kFree;
}

LevelSize transposed(const LevelSize& size) {
  return {size.width, size.height};
}

/// Larger, no multiple of the old, and no square: exchanged sides must show.
LevelSize larger(const LevelSize& size) {
  const LevelSize other{size.height + size.height / 2 + 1, size.width + 1};
  return {other.height, other.width + (other.height == other.width ? 1 : 0)};
}

ReplaySizes changed(ReplaySizes sizes, LevelSize (*change)(const LevelSize&)) {
  for (LevelSize& level : sizes.levels) level = change(level);
  sizes.finest = change(sizes.finest);
  return sizes;
}

/// Makes the last level as large as it takes for `pixels` in all, as square as that number allows.
void fit_pixels(std::int64_t pixels, std::vector<LevelSize>& levels) {
  for (std::size_t l = 0; l + 1 < levels.size(); ++l) pixels -= levels[l].pixels();
  if (pixels < 1 || levels.empty()) return;
  std::int64_t height = 1;
  for (std::int64_t side = 1; side * side <= pixels; ++side) {
    if (pixels % side == 0) height = side;
  }
  levels.back() = {height, pixels / height};
}

/// An attention over levels that takes its values from the sequence of its queries, as derive_inputs() does.
bool has_query_for_each_pixel(const ReplaySource& source) {
  const std::vector<std::string> names = source.block.inputs();
  const auto has = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  return has("spatial_shapes") && has("encoder_hidden_states") &&
         !source.module_inputs.contains("encoder_hidden_states");
}

/// Whether inputs alone say how many queries there are, and no parameter and no number of pixels.
bool has_free_queries(const ReplaySource& source) {
  bool of_an_input = false;
  for (const TensorSpec& spec : source.block.tensors(source.attributes)) {
    if (!has_extent(spec, "Q")) continue;
    if (spec.is_parameter()) return false;
    of_an_input = of_an_input || source.module_inputs.contains(spec.name);
  }
  return of_an_input && !has_query_for_each_pixel(source);
}

constexpr const char* kCoordinates = "R";  ///< of a reference: 2 of a point, 4 of a box

[[noreturn]] void ask_for_coordinates(const ReplaySource& source) {
  throw InputError(fmt::format(
      "block {}: nothing says whether reference_points holds points or boxes: give \"reference\": \"points\" "
      "or \"boxes\" in --config FILE.json, or --inputs FILE.safetensors",
      source.block.name()));
}

/// By attribute, configuration or example.
std::int64_t level_count(const ReplaySource& source, const Extents& told) {
  const auto attribute = source.attributes.find("num_levels");
  if (attribute != source.attributes.end()) return static_cast<std::int64_t>(attribute->second);
  const auto known = told.find("L");
  if (known != told.end()) return known->second;
  const std::vector<TensorSpec> specs = source.block.tensors(source.attributes);
  if (std::ranges::none_of(specs, [](const TensorSpec& spec) { return has_extent(spec, "L"); })) return 1;
  throw InputError(fmt::format(
      "block {}: nothing says how many levels there are: give \"num_levels\" in --config FILE.json, "
      "or --inputs FILE.safetensors",
      source.block.name()));
}

/// Levels and coordinates are not for the replays to choose.
void refuse_contradictions(const ReplaySource& source, const Extents& wanted) {
  static const std::map<std::string, std::string> kKinds{{"L", "levels"},
                                                         {kCoordinates, "coordinates a reference"}};
  for (const TensorSpec& spec : source.block.tensors(source.attributes)) {
    const Tensor* const given = find_tensor(source.example, spec.name);
    const std::vector<Factors> axes = parse_axes(spec.axes);
    if (given == nullptr || given->shape().size() != axes.size()) continue;
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      const std::string& name = axes[axis].front();
      const auto size = wanted.find(name);
      if (!kKinds.contains(name) || size == wanted.end() || size->second == given->dim(axis)) continue;
      throw InputError(fmt::format(
          "input {} has {} {} where the module was traced, or in --inputs; the configuration says {}",
          spec.name, given->dim(axis), kKinds.at(name), size->second));
    }
  }
}

Extents extents_of(const ReplaySource& source, const ReplaySizes& sizes) {
  const std::int64_t pixels = total_pixels(sizes.levels);
  Extents extents{{"B", sizes.batch},
                  {"H", sizes.finest.height},
                  {"W", sizes.finest.width},
                  {"L", static_cast<std::int64_t>(sizes.levels.size())},
                  {"S", pixels},
                  {"K", pixels}};
  for (std::size_t l = 0; l < sizes.levels.size(); ++l) {
    extents[fmt::format("H{}", l)] = sizes.levels[l].height;
    extents[fmt::format("W{}", l)] = sizes.levels[l].width;
  }
  if (sizes.queries > 0) extents["Q"] = sizes.queries;
  extents.insert(source.configured.begin(), source.configured.end());
  if (has_query_for_each_pixel(source)) extents["Q"] = pixels;
  // What parameters say holds; of the example's shapes only what nothing else says.
  for (const auto* tensors : {&source.parameters, &source.example}) {
    extents = source.block.extents_of(source.attributes, shapes_of(*tensors), std::move(extents));
  }
  for (const TensorSpec& spec : source.block.tensors(source.attributes)) {
    for (const Factors& axis : parse_axes(spec.axes)) {
      for (const std::string& factor : axis) {
        if (is_number(factor) || extents.contains(factor)) continue;
        if (factor == kCoordinates) ask_for_coordinates(source);
        extents.emplace(factor, free_extent(factor, extents));
      }
    }
  }
  return extents;
}

/// The levels that spatial_shapes holds; of a traced module only its shape may be known.
void take_levels(const Tensor& spatial_shapes, std::vector<LevelSize>& levels) {
  if (spatial_shapes.dtype() != DType::kInt64) return;
  for (std::size_t l = 0; l < levels.size() && static_cast<std::int64_t>(l) < spatial_shapes.dim(0); ++l) {
    const auto at = static_cast<std::int64_t>(2 * l);
    const LevelSize level{static_cast<std::int64_t>(spatial_shapes.element(at)),
                          static_cast<std::int64_t>(spatial_shapes.element(at + 1))};
    if (level.height > 0 && level.width > 0) levels[l] = level;
  }
}

/// Each channel's first value everywhere, and 2 % of what was there.
Tensor nearly_uniform(const Tensor& maps) {
  constexpr double kRest = 0.02;
  const Tensor wide = convert(maps, DType::kFloat64);
  const auto values = wide.values<double>();
  std::vector<double> uniform(values.begin(), values.end());
  const auto pixels = static_cast<std::size_t>(maps.dim(2) * maps.dim(3));
  for (std::size_t i = 0; i < uniform.size(); ++i) {
    uniform[i] = values[i / pixels * pixels] + kRest * values[i];
  }
  return convert(Tensor::of<double>(DType::kFloat64, maps.shape(), uniform), maps.dtype());
}

}  // namespace

ReplaySizes sizes_of(const ReplaySource& source) {
  const Extents told =
      source.block.extents_of(source.attributes, shapes_of(source.example), source.configured);
  const std::int64_t levels = level_count(source, told);
  Extents said = source.configured;
  if (source.attributes.contains("num_levels")) said["L"] = levels;
  refuse_contradictions(source, said);
  ReplaySizes sizes;
  std::int64_t height = 3, width = 5;
  for (std::int64_t l = 0; l < levels; ++l, height = 2 * height - 1, width = 2 * width - 2) {
    sizes.levels.push_back({height, width});
  }
  sizes.finest = {height, width};
  const auto take = [&](const std::string& extent, std::int64_t& size) {
    const auto found = told.find(extent);
    if (found != told.end()) size = found->second;
  };
  take("B", sizes.batch);
  take("H", sizes.finest.height);
  take("W", sizes.finest.width);
  for (std::size_t l = 0; l < sizes.levels.size(); ++l) {
    take(fmt::format("H{}", l), sizes.levels[l].height);
    take(fmt::format("W{}", l), sizes.levels[l].width);
  }
  if (has_free_queries(source)) {
    sizes.queries = kFree;
    take("Q", sizes.queries);
  }
  std::int64_t pixels = 0;
  if (has_query_for_each_pixel(source)) take("Q", pixels);
  take("K", pixels);
  take("S", pixels);
  if (const Tensor* shapes = find_tensor(source.example, "spatial_shapes"))
    take_levels(*shapes, sizes.levels);
  if (pixels != total_pixels(sizes.levels)) fit_pixels(pixels, sizes.levels);
  return sizes;
}

std::vector<ReplayCase> replay_cases(const ReplaySource& source, const ReplaySizes& base,
                                     std::uint64_t seed) {
  ReplaySizes other_batch = base, other_queries = base;
  ++other_batch.batch;
  constexpr std::int64_t kMoreQueries = 3;
  other_queries.queries += kMoreQueries;
  std::vector<ReplayCase> cases{{"same_shape", base, {}},
                                {"other_values", base, {}},
                                {"other_batch", other_batch, {}},
                                {"transposed", changed(base, transposed), {}},
                                {"other_shape", changed(base, larger), {}}};
  if (base.queries > 0) cases.push_back({"other_queries", other_queries, {}});
  for (ReplayCase& each : cases) {
    each.problem = replay_case(source, each.sizes, seed++);
    source.block.validate(each.problem);
  }
  return cases;
}

Case replay_case(const ReplaySource& source, const ReplaySizes& sizes, std::uint64_t seed,
                 const Manner& manner) {
  const BlockDefinition& block = source.block;
  Sketch sketch{manner.tier,  source.dtype,         source.attributes, extents_of(source, sizes),
                sizes.levels, source.module_inputs, manner.twists,     false};
  for (const NamedTensor& parameter : source.parameters) sketch.given.insert(parameter.name);
  Case c = fill_sketch(block, sketch, CounterRandom(seed));
  for (NamedTensor& input : c.inputs) {
    if (const Tensor* parameter = find_tensor(source.parameters, input.name)) input.tensor = *parameter;
  }
  derive_again(source, c);
  c.provenance.generator = "check";
  c.provenance.seed = seed;
  return c;
}

void derive_again(const ReplaySource& source, Case& c) {
  std::erase_if(c.inputs, [&](const NamedTensor& input) {
    return !is_parameter(input.name) && !source.module_inputs.contains(input.name);
  });
  derive_inputs(source.block, c.inputs);
}

Case uniform_case(const ReplaySource& source, const ReplaySizes& sizes, std::uint64_t seed) {
  Case c = replay_case(source, sizes, seed);
  for (NamedTensor& input : c.inputs) {
    const bool is_map = !is_parameter(input.name) && input.tensor.shape().size() == 4;
    if (!is_map || !is_floating(input.tensor.dtype())) continue;
    input.tensor = nearly_uniform(input.tensor);
  }
  source.block.validate(c);
  return c;
}

}  // namespace deformdiff
