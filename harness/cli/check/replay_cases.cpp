#include "cli/check/replay_cases.h"

#include "blocks/extents.h"
#include "blocks/layout.h"
#include "generators/staged_gen.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// Extents of inputs that neither parameters nor sizes tell: queries, keys.
constexpr std::int64_t kFreeExtent = 7;

LevelSize transposed(const LevelSize& size) {
  return {size.width, size.height};
}

/// Larger along one axis and no multiple of the old.
LevelSize larger(const LevelSize& size) {
  return {size.height + size.height / 2 + 1, size.width + 1};
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

Extents extents_of(const StagedBlock& block, const Attributes& attributes,
                   const std::vector<NamedTensor>& parameters, const ReplaySizes& sizes) {
  Extents known{{"B", sizes.batch}, {"R", 2}, {"H", sizes.finest.height}, {"W", sizes.finest.width}};
  for (const auto& [extent, attribute] : block.extent_attributes()) {
    known[extent] = static_cast<std::int64_t>(attributes.at(attribute));
  }
  std::int64_t pixels = 0;
  for (std::size_t l = 0; l < sizes.levels.size(); ++l) {
    known[fmt::format("H{}", l)] = sizes.levels[l].height;
    known[fmt::format("W{}", l)] = sizes.levels[l].width;
    pixels += sizes.levels[l].height * sizes.levels[l].width;
  }
  known["L"] = static_cast<std::int64_t>(sizes.levels.size());
  known["S"] = known["K"] = pixels;
  ExtentSolver solver(std::move(known));
  const std::vector<TensorSpec> specs = block.tensors(attributes);
  for (bool learnt = true; learnt;) {
    learnt = false;
    for (const TensorSpec& spec : specs) {
      const auto parameter = std::ranges::find(parameters, spec.name, &NamedTensor::name);
      if (parameter != parameters.end())
        learnt = solver.learn(spec.axes, parameter->tensor.shape()) || learnt;
    }
  }
  Extents extents = solver.extents();
  for (const TensorSpec& spec : specs) {
    for (const Axis& axis : parse_axes(spec.axes)) {
      // Queries of a layer that takes its values from the same sequence are its pixels.
      for (const std::string& name : axis.names) {
        extents.try_emplace(name, name == "Q" && block.name() == "attention_layer" ? pixels : kFreeExtent);
      }
    }
  }
  return extents;
}

Case filled(const StagedBlock& block, const Attributes& attributes,
            const std::vector<NamedTensor>& parameters, const std::set<std::string>& module_inputs,
            const ReplaySizes& sizes, std::uint64_t seed) {
  const DType dtype = parameters.empty() ? DType::kFloat32 : parameters.front().tensor.dtype();
  Sketch sketch{
      StagedTier::kTypical, dtype,         attributes, extents_of(block, attributes, parameters, sizes),
      sizes.levels,         module_inputs, {},         false};
  for (const NamedTensor& parameter : parameters) sketch.given.insert(parameter.name);
  Case c = fill_sketch(block, sketch, CounterRandom(seed));
  for (NamedTensor& input : c.inputs) {
    const auto parameter = std::ranges::find(parameters, input.name, &NamedTensor::name);
    if (parameter != parameters.end()) input.tensor = parameter->tensor;
  }
  // What the module is not given follows from the rest.
  const auto follows = [&](const NamedTensor& input) {
    return !input.name.starts_with("param.") && !module_inputs.contains(input.name);
  };
  std::erase_if(c.inputs, follows);
  derive_inputs(block, c.inputs);
  c.provenance.generator = "check";
  c.provenance.seed = seed;
  return c;
}

}  // namespace

ReplaySizes sizes_of(const std::vector<NamedTensor>& inputs, std::int64_t levels) {
  ReplaySizes sizes;
  std::int64_t height = 3, width = 5;
  for (std::int64_t l = 0; l < levels; ++l, height = 2 * height - 1, width = 2 * width - 2) {
    sizes.levels.push_back({height, width});
  }
  sizes.finest = {height, width};
  const auto map = [&](const std::string& name) -> std::optional<LevelSize> {
    const auto found = std::ranges::find(inputs, name, &NamedTensor::name);
    if (found == inputs.end() || found->tensor.shape().size() != 4) return std::nullopt;
    sizes.batch = found->tensor.dim(0);
    return LevelSize{found->tensor.dim(2), found->tensor.dim(3)};
  };
  for (std::int64_t l = 0; l < levels; ++l) {
    LevelSize& level = sizes.levels[static_cast<std::size_t>(l)];
    level = map(fmt::format("multi_scale_features.{}", l))
                .value_or(map(fmt::format("features.{}", levels - l)).value_or(level));
  }
  for (const char* name : {"features.0", "mask_features", "pixel_embeddings"}) {
    sizes.finest = map(name).value_or(sizes.finest);
  }
  for (const NamedTensor& input : inputs) {
    if (input.tensor.shape().size() == 3 && input.name == "hidden_states") {
      sizes.batch = input.tensor.dim(0);
      fit_pixels(input.tensor.dim(1), sizes.levels);
    }
    if (input.name != "spatial_shapes" || input.tensor.dtype() != DType::kInt64) continue;
    const Tensor values = input.tensor.contiguous();
    for (std::size_t l = 0; l < sizes.levels.size() && static_cast<std::int64_t>(l) < values.dim(0); ++l) {
      const auto at = static_cast<std::int64_t>(2 * l);
      const LevelSize level{static_cast<std::int64_t>(values.element(at)),
                            static_cast<std::int64_t>(values.element(at + 1))};
      if (level.height > 0 && level.width > 0) sizes.levels[l] = level;
    }
  }
  return sizes;
}

std::vector<ReplayCase> replay_cases(const StagedBlock& block, const Attributes& attributes,
                                     const std::vector<NamedTensor>& parameters,
                                     const std::set<std::string>& module_inputs, const ReplaySizes& base,
                                     std::uint64_t seed) {
  ReplaySizes other_batch = base;
  ++other_batch.batch;
  std::vector<ReplayCase> cases{{"same_shape", base, {}},
                                {"other_values", base, {}},
                                {"other_batch", other_batch, {}},
                                {"transposed", changed(base, transposed), {}},
                                {"other_shape", changed(base, larger), {}}};
  for (ReplayCase& each : cases) {
    each.problem = filled(block, attributes, parameters, module_inputs, each.sizes, seed++);
    block.validate(each.problem);
  }
  return cases;
}

}  // namespace deformdiff::cli
