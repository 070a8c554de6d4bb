#include "generators/staged/edits.h"

#include "core/view.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

namespace deformdiff {
namespace {

/// The number k of "PREFIX.k.REST" and where REST's dot is; nothing for another name.
struct Numbered {
  std::int64_t number;
  std::size_t rest;
};
std::optional<Numbered> number_after(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix + ".")) return std::nullopt;
  const char* const begin = name.data() + prefix.size() + 1;
  const char* const end = name.data() + name.size();
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop == end || *stop != '.') return std::nullopt;
  return Numbered{number, static_cast<std::size_t>(stop - name.data())};
}

bool has_projections(const Draft& draft) {
  return draft.dense.find_input("param.model.transformer_module.input_projections.0.weight") != nullptr;
}

/// The case with `attributes`, each input under its new name; without those that have none.
Draft renamed(const Draft& draft, const Attributes& attributes,
              const std::function<std::optional<std::string>(const std::string&)>& new_name) {
  std::map<std::string, Tensor> tensors;
  Draft changed{draft.block, draft.dense, {}};
  for (const NamedTensor& input : draft.dense.inputs) {
    const std::optional<std::string> name = new_name(input.name);
    if (!name) continue;
    tensors.emplace(*name, input.tensor);
    const auto layout = draft.storage_layouts.find(input.name);
    if (layout != draft.storage_layouts.end()) changed.storage_layouts.emplace(*name, layout->second);
  }
  changed.dense.attributes = attributes;
  changed.dense.inputs.clear();
  for (const TensorSpec& spec : draft.block->tensors(attributes)) {
    const auto found = tensors.find(spec.name);
    if (found != tensors.end()) changed.dense.inputs.push_back({spec.name, found->second});
  }
  return changed;
}

/// A size that is an element of an input.
struct HeldSize {
  const char* input;
  std::size_t place;
};
std::optional<HeldSize> held_size(const Case& c, const std::string& extent) {
  if (c.find_input("spatial_shape") != nullptr) {
    if (extent == "H") return HeldSize{"spatial_shape", 0};
    if (extent == "W") return HeldSize{"spatial_shape", 1};
  }
  if (extent == kTargetHeight) return HeldSize{"target_size", 0};
  if (extent == kTargetWidth) return HeldSize{"target_size", 1};
  return std::nullopt;
}

/// Without projections between them, the maps of a transformer decoder have as many channels as its queries:
/// the extent that must follow, and its indices.
std::optional<std::pair<std::string, Indices>> linked_extent(const Draft& draft, const Extents& extents,
                                                             const std::string& extent,
                                                             const Indices& indices) {
  const bool decodes = draft.dense.find_input("param.model.transformer_module.level_embed.weight") != nullptr;
  if (!decodes || has_projections(draft)) return std::nullopt;
  if (extents.contains("Dd")) {
    if (extent == "D") return std::pair("Dd", indices);
    if (extent == "Dd") return std::pair("D", indices);
    return std::nullopt;
  }
  if (extent != "M" && extent != "D") return std::nullopt;
  const std::int64_t channels = extents.at("D");
  Indices places;
  for (std::int64_t c = 0; c < extents.at("C"); ++c) {
    const std::int64_t at = extent == "M" ? c / channels : c % channels;
    if (std::ranges::find(indices, at) != indices.end()) places.push_back(c);
  }
  return std::pair("C", places);
}

/// Fewer groups where what is left of the channels no longer divides into them.
void fit_groups(Case& c, const Extents& before, const std::string& extent, std::int64_t size) {
  const auto groups = c.attributes.find("group_norm_groups");
  if (groups == c.attributes.end() || (extent != "M" && extent != "D" && extent != "Dd")) return;
  const std::int64_t channels =
      (extent == "M" ? size : before.at("M")) * (extent == "M" ? before.at("D") : size);
  groups->second = static_cast<double>(std::gcd(static_cast<std::int64_t>(groups->second), channels));
}

}  // namespace

Draft keep(const Draft& draft, const std::string& extent, const Indices& indices) {
  Extents extents = draft.block->dimensions(draft.dense);
  Draft kept = keep_extent(draft, extents, extent, indices);
  const auto size = static_cast<std::int64_t>(indices.size());
  if (const std::optional<HeldSize> held = held_size(draft.dense, extent)) {
    const Tensor& old = *draft.dense.find_input(held->input);
    std::vector<std::int64_t> sizes(old.values<std::int64_t>().begin(), old.values<std::int64_t>().end());
    sizes[held->place] = size;
    set_input(kept.dense, held->input, int64_tensor(old.shape(), sizes));
  }
  fit_groups(kept.dense, extents, extent, size);
  if (const auto linked = linked_extent(draft, extents, extent, indices)) {
    extents[extent] = size;
    kept = keep_extent(kept, extents, linked->first, linked->second);
  }
  return kept;
}

Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops) {
  const std::vector<Crop> old = whole_levels(draft);
  Indices old_starts{0};
  for (const Crop& level : old) old_starts.push_back(old_starts.back() + level.height * level.width);
  Indices starts;
  Indices rows;
  for (const Crop& crop : crops) {
    starts.push_back(static_cast<std::int64_t>(rows.size()));
    append_rows(crop, old_starts[crop.level], old[crop.level].width, rows);
  }
  return keep_rows(draft, crops, starts, rows);
}

std::int64_t map_count(const Draft& draft) {
  const std::vector<std::string> outputs = draft.block->output_names();
  const bool fixed = std::ranges::find(outputs, "multi_scale_features.0") != outputs.end();
  if (fixed || draft.dense.find_input("spatial_shapes") != nullptr) return 0;
  const auto levels = draft.dense.attributes.find("num_levels");
  return levels == draft.dense.attributes.end() ? 0 : static_cast<std::int64_t>(levels->second);
}

Draft keep_maps(const Draft& draft, const Indices& levels) {
  const std::int64_t before = map_count(draft);
  const auto after = static_cast<std::int64_t>(levels.size());
  const Draft kept = keep_extent(draft, draft.block->dimensions(draft.dense), "L", levels);
  return renamed(kept, kept.dense.attributes, [&](std::string name) -> std::optional<std::string> {
    // features.0 is no level; features.i from 1 on are the levels from the last to the first.
    for (const char* stem : {"features.", "multi_scale_features.", "input_projections."}) {
      const std::size_t at = name.rfind(stem);
      if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
      const std::size_t digits = at + std::string(stem).size();
      const std::size_t rest = std::min(name.find('.', digits), name.size());
      const std::int64_t number = std::stoll(name.substr(digits, rest - digits));
      const bool backwards = stem == std::string("features.");
      if (backwards && number == 0) continue;
      const auto found = std::ranges::find(levels, backwards ? before - number : number);
      if (found == levels.end()) return std::nullopt;
      const std::int64_t place = found - levels.begin();
      name = name.substr(0, digits) + std::to_string(backwards ? after - place : place) + name.substr(rest);
    }
    return name;
  });
}

std::vector<LayerStack> layer_stacks(const Draft& draft) {
  static const std::string kLayers = ".layers.";
  std::map<std::string, std::int64_t> counts;
  for (const NamedTensor& input : draft.dense.inputs) {
    const std::size_t at = input.name.find(kLayers);
    if (at == std::string::npos) continue;
    const std::string prefix = input.name.substr(0, at + kLayers.size() - 1);
    const std::optional<Numbered> layer = number_after(input.name, prefix);
    if (layer) counts[prefix] = std::max(counts[prefix], layer->number + 1);
  }
  std::vector<LayerStack> stacks;
  for (const auto& [prefix, count] : counts) {
    for (const char* attribute : {"num_encoder_layers", "num_decoder_layers"}) {
      const auto number = draft.dense.attributes.find(attribute);
      const std::string wanted(attribute == std::string("num_encoder_layers") ? "encoder." : "decoder.");
      const bool named = counts.size() == 1 || prefix.find(wanted + "layers") != std::string::npos;
      if (number == draft.dense.attributes.end() || number->second != static_cast<double>(count) || !named) {
        continue;
      }
      stacks.push_back({prefix, attribute, count});
      break;
    }
  }
  return stacks;
}

Draft keep_layers(const Draft& draft, const LayerStack& stack, const Indices& indices) {
  Attributes attributes = draft.dense.attributes;
  attributes[stack.attribute] = static_cast<double>(indices.size());
  return renamed(draft, attributes, [&](const std::string& name) -> std::optional<std::string> {
    const std::optional<Numbered> layer = number_after(name, stack.prefix);
    if (!layer) return name;
    const auto found = std::ranges::find(indices, layer->number);
    if (found == indices.end()) return std::nullopt;
    return stack.prefix + "." + std::to_string(found - indices.begin()) + name.substr(layer->rest);
  });
}

Draft without(const Draft& draft, const std::string& input) {
  Draft kept = draft;
  std::erase_if(kept.dense.inputs, [&](const NamedTensor& tensor) { return tensor.name == input; });
  kept.storage_layouts.erase(input);
  return kept;
}

Draft with_attribute(const Draft& draft, const std::string& name, double value) {
  Draft changed = draft;
  changed.dense.attributes[name] = value;
  const std::vector<TensorSpec> specs = draft.block->tensors(changed.dense.attributes);
  const std::vector<TensorSpec> old = draft.block->tensors(draft.dense.attributes);
  if (specs.size() != old.size()) return changed;
  for (std::size_t k = 0; k < specs.size(); ++k) {
    const Tensor* const tensor = draft.dense.find_input(specs[k].name);
    if (tensor == nullptr || specs[k].axes == old[k].axes) continue;
    // The only other order that there is: length first for batch first, or back.
    Shape order(tensor->shape().size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[0], order[1]);
    set_input(changed.dense, specs[k].name, rearranged(*tensor, {permute(order)}));
    changed.storage_layouts.erase(specs[k].name);
  }
  return changed;
}

}  // namespace deformdiff
