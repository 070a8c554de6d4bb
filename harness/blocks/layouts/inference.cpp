#include "blocks/layouts/inference.h"

#include "blocks/layouts/name_pattern.h"
#include "blocks/levels.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// What stands before the numbers of the layers that an attribute counts, "param.encoder.layers.": in the
/// parameters that one layer more would have.
std::string before_layers(const BlockDefinition& block, const std::string& attribute) {
  Attributes attributes = block.default_attributes();
  std::set<std::string> names;
  for (const TensorSpec& spec : block.tensors(attributes)) names.insert(spec.name);
  const std::string number = fmt::format(".{}.", static_cast<std::int64_t>(attributes.at(attribute)++));
  for (const TensorSpec& spec : block.tensors(attributes)) {
    if (!names.contains(spec.name)) return spec.name.substr(0, spec.name.find(number) + 1);
  }
  throw std::logic_error(fmt::format("block {}: attribute {} counts no layers", block.name(), attribute));
}

/// Layers by their numbers in names.
std::int64_t count_layers(const std::map<std::string, Shape>& shapes, const std::string& before) {
  std::int64_t count = 0;
  for (const auto& [name, shape] : shapes) {
    if (!name.starts_with(before)) continue;
    const std::size_t end = name.find('.', before.size());
    if (end == std::string::npos) continue;
    const auto numbers = NamePattern("{i}").match(name.substr(before.size(), end - before.size()));
    if (numbers) count = std::max(count, numbers->at('i') + 1);
  }
  return count;
}

/// Rows of the first tensor whose name ends so.
std::optional<std::int64_t> rows_of(const std::map<std::string, Shape>& shapes, std::string_view ending) {
  for (const auto& [name, shape] : shapes) {
    if (name.ends_with(ending) && !shape.empty()) return shape[0];
  }
  return std::nullopt;
}

/// 1 throughout.
Tensor ones(DType dtype, const Shape& shape) {
  const std::vector<double> values(static_cast<std::size_t>(element_count(shape)), 1.0);
  return convert(Tensor::of<double>(DType::kFloat64, shape, values), dtype);
}

}  // namespace

Inference infer_attributes(Layout layout, const BlockDefinition& block,
                           const std::map<std::string, Shape>& shapes, const Attributes& known) {
  const Attributes defaults = block.default_attributes();
  Inference result{known, {}};
  Attributes& attributes = result.attributes;
  const auto wants = [&](const char* name) { return defaults.contains(name) && !attributes.contains(name); };
  const auto set = [&](const char* name, std::optional<double> value) {
    if (wants(name) && value) attributes[name] = *value;
  };
  for (const char* name : {"num_encoder_layers", "num_decoder_layers"}) {
    if (!wants(name)) continue;
    const std::int64_t layers = count_layers(shapes, before_layers(block, name));
    // A decoder without layers has its other parameters.
    const bool none = name == std::string_view("num_decoder_layers") && !shapes.empty();
    if (layers > 0 || none) attributes[name] = static_cast<double>(layers);
  }
  for (const char* ending : {"level_embed", "level_embed.weight", "spatial_shapes"})
    set("num_levels", rows_of(shapes, ending));

  // Rows of sampling_offsets are heads * levels * points * 2: the one of them that is not known follows.
  std::vector<const char*> open;
  std::int64_t product = 1;
  for (const char* name : {"num_heads", "num_levels", "num_points"}) {
    if (attributes.contains(name)) {
      product *= static_cast<std::int64_t>(std::clamp(attributes.at(name), 1.0, 0x1p20));
    } else if (defaults.contains(name)) {
      open.push_back(name);
    }
  }
  const std::optional<std::int64_t> rows = rows_of(shapes, "sampling_offsets.weight");
  if (open.size() == 1 && rows && *rows > 0 && *rows % (2 * product) == 0) {
    attributes[open[0]] = static_cast<double>(*rows / (2 * product));
    open.clear();
  }
  // With all but the last of them given, the last will follow.
  if (open.size() > 1 && rows) open.pop_back();
  result.unknown.assign(open.begin(), open.end());

  if (wants("num_position_features"))
    result.unknown.push_back("num_position_features");  // it has no parameters

  if (wants("residual_inside")) attributes["residual_inside"] = layout == Layout::kMmdet ? 1 : 0;
  if (wants("batch_first") && layout == Layout::kMmdet) {
    const auto hidden = shapes.find("hidden_states"), points = shapes.find("reference_points");
    if (hidden != shapes.end() && points != shapes.end() && hidden->second.size() == 3 &&
        points->second.size() == 4 && hidden->second[0] != hidden->second[1]) {
      attributes["batch_first"] = hidden->second[0] == points->second[0] ? 1 : 0;
    } else {
      result.unknown.push_back("batch_first");
    }
  }
  for (const auto& [name, value] : defaults) attributes.emplace(name, value);
  return result;
}

void derive_inputs(const BlockDefinition& block, std::vector<NamedTensor>& inputs) {
  const std::vector<std::string> names = block.inputs();
  const auto has = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  const auto wants = [&](std::string_view name) { return has(name) && find_tensor(inputs, name) == nullptr; };
  const Tensor* shapes = find_tensor(inputs, "spatial_shapes");
  const bool has_shapes = shapes != nullptr && shapes->dtype() == DType::kInt64 &&
                          shapes->shape().size() == 2 && shapes->dim(1) == 2;
  if (wants("valid_ratios") && has_shapes) {
    if (const Tensor* embeds = find_tensor(inputs, "inputs_embeds");
        embeds != nullptr && embeds->shape().size() == 3) {
      inputs.push_back({"valid_ratios", ones(embeds->dtype(), {embeds->dim(0), shapes->dim(0), 2})});
      shapes = find_tensor(inputs, "spatial_shapes");
    }
  }
  if (wants("level_start_index") && has_shapes) {
    const std::vector<std::int64_t> starts =
        level_starts(level_sizes({block.name(), {}, {{"spatial_shapes", *shapes}}, {}}));
    inputs.push_back({"level_start_index", int64_tensor({static_cast<std::int64_t>(starts.size())}, starts)});
  }
  if (has("spatial_shapes") && wants("encoder_hidden_states")) {
    if (const Tensor* hidden = find_tensor(inputs, "hidden_states")) {
      const Tensor same = *hidden;
      inputs.push_back({"encoder_hidden_states", same});
    }
  }
}

bool is_derived(const BlockDefinition& block, const std::set<std::string>& inputs, std::string_view name) {
  if (name == "valid_ratios") return inputs.contains("spatial_shapes") && inputs.contains("inputs_embeds");
  if (name == "level_start_index") return inputs.contains("spatial_shapes");
  const std::vector<std::string> all = block.inputs();
  return name == "encoder_hidden_states" && inputs.contains("hidden_states") &&
         std::ranges::find(all, "spatial_shapes") != all.end();
}

}  // namespace deformdiff
