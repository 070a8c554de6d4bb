#include "generators/staged/edits.h"

#include "core/view.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <utility>

namespace deformdiff {
namespace {

constexpr const char* kShapes = "spatial_shapes";
constexpr const char* kStarts = "level_start_index";

Tensor integers(Shape shape, const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>(DType::kInt64, std::move(shape), values);
}

void set_input(Case& c, const std::string& name, Tensor tensor) {
  for (NamedTensor& input : c.inputs) {
    if (input.name == name) input.tensor = std::move(tensor);
  }
}

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

bool has_projections(const StagedDraft& draft) {
  return draft.dense.find_input("param.model.transformer_module.input_projections.0.weight") != nullptr;
}

/// keep() without what else follows. `extents` are those of the draft.
StagedDraft keep_alone(const StagedDraft& draft, const Extents& extents, const std::string& extent,
                       const Indices& indices) {
  StagedDraft kept = draft;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    const Tensor* const tensor = draft.dense.find_input(spec.name);
    if (tensor == nullptr || !has_extent(spec, extent)) continue;
    set_input(kept.dense, spec.name, gather(*tensor, spec, extents, extent, indices));
  }
  const auto attributes = draft.block->extent_attributes();
  const auto attribute = attributes.find(extent);
  if (attribute != attributes.end()) {
    kept.dense.attributes[attribute->second] = static_cast<double>(indices.size());
  }
  return kept;
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
std::optional<std::pair<std::string, Indices>> linked_extent(const StagedDraft& draft, const Extents& extents,
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

StagedDraft draft_of(const BlockDefinition& block, const Case& c) {
  StagedDraft draft{&block, c, {}};
  for (NamedTensor& input : draft.dense.inputs) {
    if (input.tensor.is_contiguous()) continue;
    draft.layouts.emplace(input.name, traits_of(input.tensor));
    input.tensor = input.tensor.contiguous();
  }
  return draft;
}

Case case_of(const StagedDraft& draft) {
  Case c = draft.dense;
  for (NamedTensor& input : c.inputs) {
    const auto layout = draft.layouts.find(input.name);
    if (layout != draft.layouts.end()) input.tensor = with_traits(input.tensor, layout->second);
  }
  return c;
}

StagedDraft keep(const StagedDraft& draft, const std::string& extent, const Indices& indices) {
  Extents extents = draft.block->dimensions(draft.dense);
  StagedDraft kept = keep_alone(draft, extents, extent, indices);
  const auto size = static_cast<std::int64_t>(indices.size());
  if (const std::optional<HeldSize> held = held_size(draft.dense, extent)) {
    const Tensor& old = *draft.dense.find_input(held->input);
    std::vector<std::int64_t> sizes(old.values<std::int64_t>().begin(), old.values<std::int64_t>().end());
    sizes[held->place] = size;
    set_input(kept.dense, held->input, integers(old.shape(), sizes));
  }
  fit_groups(kept.dense, extents, extent, size);
  if (const auto linked = linked_extent(draft, extents, extent, indices)) {
    extents[extent] = size;
    kept = keep_alone(kept, extents, linked->first, linked->second);
  }
  return kept;
}

std::vector<StagedCrop> whole_levels(const StagedDraft& draft) {
  std::vector<StagedCrop> levels;
  const Tensor* const shapes = draft.dense.find_input(kShapes);
  if (shapes == nullptr) return levels;
  const auto sides = shapes->values<std::int64_t>();
  for (std::int64_t l = 0; l < shapes->dim(0); ++l) {
    const auto at = static_cast<std::size_t>(2 * l);
    levels.push_back({l, 0, sides[at], 0, sides[at + 1]});
  }
  return levels;
}

StagedDraft keep_levels(const StagedDraft& draft, const std::vector<StagedCrop>& crops) {
  const std::vector<StagedCrop> old = whole_levels(draft);
  Indices starts;
  std::int64_t rows = 0;
  for (const StagedCrop& level : old) {
    starts.push_back(rows);
    rows += level.height * level.width;
  }
  Indices levels;
  Indices kept_rows;
  std::vector<std::int64_t> sides;
  std::vector<std::int64_t> new_starts;
  for (const StagedCrop& crop : crops) {
    const auto l = static_cast<std::size_t>(crop.level);
    levels.push_back(crop.level);
    new_starts.push_back(static_cast<std::int64_t>(kept_rows.size()));
    sides.insert(sides.end(), {crop.height, crop.width});
    for (std::int64_t y = crop.top; y < crop.top + crop.height; ++y) {
      for (std::int64_t x = crop.left; x < crop.left + crop.width; ++x) {
        kept_rows.push_back(starts[l] + y * old[l].width + x);
      }
    }
  }
  const Extents extents = draft.block->dimensions(draft.dense);
  const auto count = static_cast<std::int64_t>(crops.size());
  StagedDraft kept = draft;
  for (const TensorSpec& spec : draft.block->tensors(draft.dense.attributes)) {
    const Tensor* const tensor = draft.dense.find_input(spec.name);
    if (tensor == nullptr) continue;
    Extents now = extents;
    const Tensor rows_kept = gather(*tensor, spec, now, "S", kept_rows);
    now["S"] = static_cast<std::int64_t>(kept_rows.size());
    set_input(kept.dense, spec.name, gather(rows_kept, spec, now, "L", levels));
  }
  const auto attributes = draft.block->extent_attributes();
  const auto attribute = attributes.find("L");
  if (attribute != attributes.end()) kept.dense.attributes[attribute->second] = static_cast<double>(count);
  set_input(kept.dense, kShapes, integers({count, 2}, sides));
  set_input(kept.dense, kStarts, integers({count}, new_starts));
  return kept;
}

std::int64_t map_count(const StagedDraft& draft) {
  const std::vector<std::string> outputs = draft.block->output_names();
  const bool fixed = std::ranges::find(outputs, "multi_scale_features.0") != outputs.end();
  if (fixed || draft.dense.find_input(kShapes) != nullptr) return 0;
  const auto levels = draft.dense.attributes.find("num_levels");
  return levels == draft.dense.attributes.end() ? 0 : static_cast<std::int64_t>(levels->second);
}

StagedDraft keep_maps(const StagedDraft& draft, const Indices& levels) {
  const std::int64_t before = map_count(draft);
  const auto after = static_cast<std::int64_t>(levels.size());
  const StagedDraft kept = keep_alone(draft, draft.block->dimensions(draft.dense), "L", levels);
  std::map<std::string, Tensor> tensors;
  std::map<std::string, LayoutTraits> layouts;
  for (const NamedTensor& input : kept.dense.inputs) {
    std::string name = input.name;
    bool dropped = false;
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
      dropped = found == levels.end();
      const std::int64_t place = found - levels.begin();
      name = name.substr(0, digits) + std::to_string(backwards ? after - place : place) + name.substr(rest);
    }
    if (dropped) continue;
    const auto layout = draft.layouts.find(input.name);
    if (layout != draft.layouts.end()) layouts.emplace(name, layout->second);
    tensors.emplace(std::move(name), input.tensor);
  }
  StagedDraft renamed{draft.block, kept.dense, std::move(layouts)};
  renamed.dense.inputs = arranged(*draft.block, kept.dense.attributes, tensors);
  return renamed;
}

std::vector<LayerStack> layer_stacks(const StagedDraft& draft) {
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

StagedDraft keep_layers(const StagedDraft& draft, const LayerStack& stack, const Indices& indices) {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, LayoutTraits> layouts;
  for (const NamedTensor& input : draft.dense.inputs) {
    std::string name = input.name;
    if (const std::optional<Numbered> layer = number_after(name, stack.prefix)) {
      const auto found = std::ranges::find(indices, layer->number);
      if (found == indices.end()) continue;
      name = stack.prefix + "." + std::to_string(found - indices.begin()) + name.substr(layer->rest);
    }
    const auto layout = draft.layouts.find(input.name);
    if (layout != draft.layouts.end()) layouts.emplace(name, layout->second);
    tensors.emplace(std::move(name), input.tensor);
  }
  StagedDraft kept{draft.block, draft.dense, std::move(layouts)};
  kept.dense.attributes[stack.attribute] = static_cast<double>(indices.size());
  kept.dense.inputs = arranged(*draft.block, kept.dense.attributes, tensors);
  return kept;
}

StagedDraft without(const StagedDraft& draft, const std::string& input) {
  StagedDraft kept = draft;
  std::erase_if(kept.dense.inputs, [&](const NamedTensor& tensor) { return tensor.name == input; });
  kept.layouts.erase(input);
  return kept;
}

StagedDraft with_attribute(const StagedDraft& draft, const std::string& name, double value) {
  StagedDraft changed = draft;
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
    changed.layouts.erase(specs[k].name);
  }
  return changed;
}

std::vector<NamedTensor> arranged(const BlockDefinition& block, const Attributes& attributes,
                                  const std::map<std::string, Tensor>& tensors) {
  std::vector<NamedTensor> inputs;
  for (const TensorSpec& spec : block.tensors(attributes)) {
    const auto found = tensors.find(spec.name);
    if (found != tensors.end()) inputs.push_back({spec.name, found->second});
  }
  return inputs;
}

}  // namespace deformdiff
