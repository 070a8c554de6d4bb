#include "blocks/layouts/layout.h"

#include "blocks/layouts/configuration.h"
#include "blocks/layouts/tables.h"
#include "blocks/levels.h"
#include "core/view.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

bool has_pre_norm(const Attributes& attributes) {
  const auto found = attributes.find("pre_norm");
  return found != attributes.end() && found->second != 0;
}

const LayoutTables& tables_for(Layout layout, const BlockDefinition& block, const Attributes& attributes) {
  return layout_tables(layout, block.name(), has_pre_norm(attributes));
}

std::vector<LayoutEntry> all_matches(const NameTable& table, std::string_view theirs) {
  std::vector<LayoutEntry> entries;
  for (const PatternEntry& entry : table) {
    const auto numbers = entry.theirs_pattern.match(theirs);
    if (numbers) entries.push_back({std::string(theirs), entry.ours_pattern.name(*numbers), entry.how});
  }
  return entries;
}

std::optional<LayoutEntry> first_match(const NameTable& table, std::string_view theirs) {
  const std::vector<LayoutEntry> entries = all_matches(table, theirs);
  return entries.empty() ? std::nullopt : std::optional(entries.front());
}

std::optional<std::string> first_reverse(const NameTable& table, std::string_view ours) {
  for (const PatternEntry& entry : table) {
    const auto numbers = entry.ours_pattern.match(ours);
    if (numbers) return entry.theirs_pattern.name(*numbers);
  }
  return std::nullopt;
}

/// features.N under the name that backbones have for it, res(N + 2).
std::optional<std::string> feature_of(const BlockDefinition& block, std::string_view name) {
  static const NamePattern residual_stage("res{r}");
  if (block.name() != "pixel_decoder" && block.name() != "mask2former_head") return std::nullopt;
  const auto numbers = residual_stage.match(name);
  if (!numbers || numbers->at('r') < 2) return std::nullopt;
  return fmt::format("features.{}", numbers->at('r') - 2);
}

/// The view that makes `theirs` ours; nullopt where its shape does not do.
std::optional<View> view_to_ours(Rearrangement how, const Shape& theirs, const Shape& ours) {
  const std::size_t rank = theirs.size();
  const auto third = [&](std::int64_t part) -> std::optional<View> {
    if (rank < 1 || theirs[0] % 3 != 0) return std::nullopt;
    return View{narrow(0, part * (theirs[0] / 3), theirs[0] / 3)};
  };
  switch (how) {
    case Rearrangement::kNone:
      return View{};
    case Rearrangement::kSwapped: {
      if (rank < 2) return std::nullopt;
      Shape axes(rank);
      for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(i);
      std::swap(axes[0], axes[1]);
      return View{permute(std::move(axes))};
    }
    case Rearrangement::kMapToSequence:
      if (rank != 4) return std::nullopt;
      return View{reshape({theirs[0], theirs[1], theirs[2] * theirs[3]}), permute({0, 2, 1})};
    case Rearrangement::kChannelsInMiddle:
      if (rank != 3) return std::nullopt;
      return View{permute({2, 0, 1})};
    case Rearrangement::kHeadsApart: {
      if (rank != 3 || ours.size() != 3 || theirs[2] == 0 || ours[2] % theirs[2] != 0) return std::nullopt;
      const std::int64_t heads = ours[2] / theirs[2];
      if (theirs[0] != ours[0] * heads || theirs[1] != ours[1]) return std::nullopt;
      return View{reshape({ours[0], heads, theirs[1], theirs[2]}), permute({0, 2, 1, 3}), reshape(ours)};
    }
    case Rearrangement::kOneForAllImages:
      if (theirs == ours) return View{};
      if (rank != 2 || ours.size() != 3 || theirs[0] != ours[1] || theirs[1] != ours[2]) return std::nullopt;
      return View{reshape({1, theirs[0], theirs[1]}), expand(ours)};
    case Rearrangement::kOneForEachHead: {
      if (theirs == ours) return View{};
      if (rank != 3 || ours.size() != 4 || theirs[1] != ours[1] || theirs[2] != ours[2] * ours[3])
        return std::nullopt;
      if (ours[0] == 0 || theirs[0] == 0 || theirs[0] % ours[0] != 0) return std::nullopt;
      return View{reshape({ours[0], theirs[0] / ours[0], theirs[1], theirs[2]}), narrow(1, 0, 1),
                  reshape(ours)};
    }
    case Rearrangement::kFirstThird:
      return third(0);
    case Rearrangement::kSecondThird:
      return third(1);
    case Rearrangement::kLastThird:
      return third(2);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::kHuggingface:
      return "huggingface";
    case Layout::kMmdet:
      return "mmdet";
    case Layout::kFacebook:
      return "facebook";
  }
  return "";
}

std::optional<Layout> layout_from_name(std::string_view name) {
  for (const Layout layout : {Layout::kHuggingface, Layout::kMmdet, Layout::kFacebook}) {
    if (name == name_of(layout)) return layout;
  }
  return std::nullopt;
}

Tensor to_ours(const LayoutEntry& entry, const Tensor& theirs, const Shape& ours) {
  const std::optional<View> view = view_to_ours(entry.how, theirs.shape(), ours);
  if (!view) {
    const std::string wanted = ours.empty() ? "" : " of shape " + to_string(ours);
    throw InputError(fmt::format("{}: shape {} found, which cannot be seen as our {}{}", entry.theirs,
                                 to_string(theirs.shape()), entry.ours, wanted));
  }
  return rearranged(theirs, *view);
}

Tensor to_theirs(const LayoutEntry& entry, const Tensor& ours) {
  // Swapping two axes is its own way back.
  DEFORMDIFF_CHECK(entry.how == Rearrangement::kNone || entry.how == Rearrangement::kSwapped);
  return to_ours(entry, ours, {});
}

LayoutNames::LayoutNames(Layout layout, const BlockDefinition& block, const Attributes& attributes)
    : layout_(layout), block_(block), attributes_(attributes) {
  if (layout == Layout::kMmdet && has_pre_norm(attributes)) {
    throw InputError(
        fmt::format("block {}: attribute 'pre_norm' is 1, but MMDetection's layers norm sums", block.name()));
  }
  for (const auto& [name, value] : block.default_attributes()) attributes_.emplace(name, value);
}

std::optional<LayoutEntry> LayoutNames::stage(std::string_view theirs) const {
  const NameTable& table = tables_for(layout_, block_, attributes_).stages;
  if (table.empty()) return LayoutEntry{std::string(theirs), std::string(theirs)};
  return first_match(table, theirs);
}

std::vector<LayoutEntry> LayoutNames::stages(std::string_view theirs) const {
  const NameTable& table = tables_for(layout_, block_, attributes_).stages;
  if (table.empty()) return {{std::string(theirs), std::string(theirs)}};
  return all_matches(table, theirs);
}

std::optional<std::string> LayoutNames::their_stage(std::string_view ours) const {
  const NameTable& table = tables_for(layout_, block_, attributes_).stages;
  if (table.empty()) return std::string(ours);
  return first_reverse(table, ours);
}

std::optional<LayoutEntry> LayoutNames::input(std::string_view theirs) const {
  if (const auto found = first_match(tables_for(layout_, block_, attributes_).inputs, theirs)) return found;
  if (const auto feature = feature_of(block_, theirs)) return LayoutEntry{std::string(theirs), *feature};
  for (const TensorSpec& spec : block_.tensors(attributes_)) {
    if (spec.name == theirs && !spec.name.starts_with("param.")) return LayoutEntry{spec.name, spec.name};
  }
  return std::nullopt;
}

std::optional<LayoutEntry> LayoutNames::output(std::string_view theirs) const {
  if (const auto found = first_match(tables_for(layout_, block_, attributes_).outputs, theirs)) return found;
  const std::vector<std::string> ours = output_order();
  if (std::find(ours.begin(), ours.end(), theirs) == ours.end()) return std::nullopt;
  return LayoutEntry{std::string(theirs), std::string(theirs)};
}

std::vector<LayoutEntry> LayoutNames::parameters(std::string_view theirs) const {
  return all_matches(tables_for(layout_, block_, attributes_).parameters, theirs);
}

std::optional<std::string> LayoutNames::their_input(std::string_view ours) const {
  if (const auto found = first_reverse(tables_for(layout_, block_, attributes_).inputs, ours)) return found;
  return std::string(ours);
}

std::optional<std::string> LayoutNames::their_output(std::string_view ours) const {
  if (const auto found = first_reverse(tables_for(layout_, block_, attributes_).outputs, ours)) return found;
  return std::string(ours);
}

std::optional<std::string> LayoutNames::their_parameter(std::string_view ours) const {
  return first_reverse(tables_for(layout_, block_, attributes_).parameters, ours);
}

std::vector<std::string> LayoutNames::input_order() const {
  const std::string block = block_.name();
  if (block == "attention_layer") {
    if (layout_ == Layout::kFacebook) {
      return {"hidden_states",  "reference_points",  "encoder_hidden_states",
              "spatial_shapes", "level_start_index", "attention_mask"};
    }
    return {"hidden_states",     "position_embeddings",   "reference_points", "spatial_shapes",
            "level_start_index", "encoder_hidden_states", "attention_mask"};
  }
  if (block == "pixel_decoder_encoder" && layout_ == Layout::kFacebook) {
    return {"inputs_embeds", "spatial_shapes",      "level_start_index",
            "valid_ratios",  "position_embeddings", "attention_mask"};
  }
  std::vector<std::string> order;
  for (const TensorSpec& spec : block_.tensors(attributes_)) {
    if (!spec.name.starts_with("param.")) order.push_back(spec.name);
  }
  return order;
}

std::vector<std::string> LayoutNames::output_order() const {
  if (block_.name() != "pixel_decoder") return block_.output_names();
  std::vector<std::string> order{"mask_features"};
  for (std::int64_t l = 0; l < static_cast<std::int64_t>(attributes_.at("num_levels")); ++l) {
    order.push_back(fmt::format("multi_scale_features.{}", l));
  }
  return order;
}

namespace {

/// A wrong layout or block makes hundreds of them.
std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t kFew = 4;
  if (names.size() <= kFew) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kFew, ", "),
                     names.size() - kFew);
}

/// What stands before most of the names, so that the rest of each is one we know: "" or up to a dot.
std::string common_prefix(const LayoutNames& names, const std::map<std::string, Tensor>& theirs) {
  std::map<std::string, std::size_t> votes;
  for (const auto& [name, tensor] : theirs) {
    std::size_t begin = 0;
    while (true) {
      if (!names.parameters(std::string_view(name).substr(begin)).empty()) ++votes[name.substr(0, begin)];
      const std::size_t dot = name.find('.', begin);
      if (dot == std::string::npos) break;
      begin = dot + 1;
    }
  }
  std::string best;
  std::size_t most = 0;
  for (const auto& [prefix, count] : votes) {
    if (count > most || (count == most && prefix.size() < best.size())) {
      best = prefix;
      most = count;
    }
  }
  return best;
}

/// The path's module, with its dot, without which the name is one that we know: begin and end; nothing if
/// there is none.
std::optional<std::pair<std::size_t, std::size_t>> wrapper_in(const LayoutNames& names,
                                                              const std::string& name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t dot = name.find('.', begin);
    if (dot == std::string::npos) break;
    if (!names.parameters(name.substr(0, begin) + name.substr(dot + 1)).empty())
      return std::pair(begin, dot + 1);
    begin = dot + 1;
  }
  return std::nullopt;
}

/// No name is one that we know, behind the prefix or with a module of its path left out.
bool is_known_nowhere(const LayoutNames& names, const std::string& prefix,
                      const std::map<std::string, Tensor>& theirs) {
  return std::ranges::none_of(theirs, [&](const auto& parameter) {
    const std::string path = parameter.first.substr(prefix.size());
    return parameter.first.starts_with(prefix) &&
           (!names.parameters(path).empty() || wrapper_in(names, path).has_value());
  });
}

/// The modules that all names begin with, up to a dot.
std::string leading_module(const std::map<std::string, Tensor>& theirs) {
  if (theirs.empty()) return "";
  std::string common = theirs.begin()->first;
  for (const auto& [name, tensor] : theirs) {
    const auto same = std::ranges::mismatch(common, name).in1;
    common.erase(same, common.end());
  }
  return common.substr(0, common.rfind('.') + 1);
}

/// Parts of a head under attributes of a wrapper, "pix." and "cls.", and what they are in the framework:
/// the one place where all names of a part are known and not yet taken, the part with most names first.
std::map<std::string, std::string> components(Layout layout, const BlockDefinition& block,
                                              const Attributes& known, const std::string& prefix,
                                              const std::map<std::string, Tensor>& theirs) {
  const LayoutNames names(layout, block, known);
  std::map<std::string, std::vector<std::string>> parts;  // names behind the part's own
  for (const auto& [name, tensor] : theirs) {
    const std::string path = name.substr(prefix.size());
    const std::size_t dot = path.find('.') + 1;
    parts[path.substr(0, dot)].push_back(path.substr(dot));
  }
  std::vector<std::string> by_size;
  for (const auto& [part, rest] : parts) by_size.push_back(part);
  std::ranges::stable_sort(by_size, std::ranges::greater{},
                           [&](const std::string& part) { return parts.at(part).size(); });
  std::set<std::string> places{""};
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.name.starts_with("param.")) continue;
    const std::string full = names.their_parameter(spec.name.substr(6)).value_or("");
    for (std::size_t dot = full.find('.'); dot != std::string::npos; dot = full.find('.', dot + 1)) {
      places.insert(full.substr(0, dot + 1));
    }
  }
  std::map<std::string, std::string> found;
  std::set<std::string> taken;
  for (const std::string& part : by_size) {
    std::vector<std::string> fitting;
    for (const std::string& place : places) {
      const bool fits = std::ranges::all_of(parts.at(part), [&](const std::string& rest) {
        const std::vector<LayoutEntry> entries = names.parameters(place + rest);
        return !entries.empty() && !taken.contains(entries.front().ours);
      });
      if (fits) fitting.push_back(place);
    }
    // Several: a linear layer is like another. The shortest path is a part of the model, not of a layer.
    if (fitting.empty()) continue;
    const std::string place = *std::ranges::min_element(fitting, {}, &std::string::size);
    found.emplace(part, place);
    for (const std::string& rest : parts.at(part)) {
      for (const LayoutEntry& entry : names.parameters(place + rest)) taken.insert(entry.ours);
    }
  }
  return found;
}

}  // namespace

std::string unwrapped(const CanonicalParameters& parameters, const std::string& path) {
  for (const auto& [wrapped, plain] : parameters.wrappers) {
    if (path.starts_with(wrapped)) return plain + path.substr(wrapped.size());
  }
  return path;
}

CanonicalParameters canonical_parameters(Layout layout, const BlockDefinition& block,
                                         const std::map<std::string, Tensor>& theirs,
                                         const Attributes& known) {
  const LayoutNames names(layout, block, known);
  CanonicalParameters result{{}, common_prefix(names, theirs), {}};
  if (is_known_nowhere(names, result.prefix, theirs)) {
    result.prefix = leading_module(theirs);
    result.wrappers = components(layout, block, known, result.prefix, theirs);
  }
  std::vector<std::string> unknown, twice, missing;
  std::map<std::string, std::string> source;
  for (const auto& [name, tensor] : theirs) {
    std::vector<LayoutEntry> entries;
    if (name.starts_with(result.prefix)) {
      const std::string path = name.substr(result.prefix.size());
      entries = names.parameters(unwrapped(result, path));
      if (const auto wrapper = entries.empty() ? wrapper_in(names, path) : std::nullopt) {
        result.wrappers.emplace(path.substr(0, wrapper->second), path.substr(0, wrapper->first));
        entries = names.parameters(unwrapped(result, path));
      }
    }
    if (entries.empty()) unknown.push_back(name);
    for (const LayoutEntry& entry : entries) {
      const auto [at, is_new] = source.emplace(entry.ours, name);
      if (!is_new) twice.push_back(fmt::format("{} (as {} and {})", entry.ours, at->second, name));
      if (is_new)
        result.tensors.push_back({"param." + entry.ours, to_ours({name, entry.ours, entry.how}, tensor, {})});
    }
  }
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& tensor : result.tensors) shapes.emplace(tensor.name, tensor.tensor.shape());
  std::set<std::string> wanted;
  for (const TensorSpec& spec : block.tensors(infer_attributes(layout, block, shapes, known).attributes)) {
    if (!spec.name.starts_with("param.")) continue;
    wanted.insert(spec.name);
    const std::string ours = spec.name.substr(6);
    if (spec.optional || source.contains(ours)) continue;
    const std::optional<std::string> their_name = names.their_parameter(ours);
    missing.push_back(result.prefix + their_name.value_or(ours));
  }
  for (const NamedTensor& tensor : result.tensors) {
    if (!wanted.contains(tensor.name)) unknown.push_back(source.at(tensor.name.substr(6)));
  }
  // Parts of one packed tensor are missing, or unknown, together.
  for (std::vector<std::string>* list : {&missing, &unknown}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  std::vector<std::string> complaints;
  if (!unknown.empty()) complaints.push_back(fmt::format("unknown: {}", first_few(unknown)));
  if (!missing.empty()) complaints.push_back(fmt::format("missing: {}", first_few(missing)));
  if (!twice.empty()) complaints.push_back(fmt::format("given twice: {}", fmt::join(twice, ", ")));
  if (!complaints.empty()) {
    throw InputError(fmt::format("block {}: parameters by {}'s names: {}", block.name(), name_of(layout),
                                 fmt::join(complaints, "; ")));
  }
  return result;
}

namespace {

const Tensor* find(const std::vector<NamedTensor>& inputs, std::string_view name) {
  for (const NamedTensor& input : inputs) {
    if (input.name == name) return &input.tensor;
  }
  return nullptr;
}

/// 1 throughout.
Tensor ones(DType dtype, const Shape& shape) {
  const std::vector<double> values(static_cast<std::size_t>(element_count(shape)), 1.0);
  return convert(Tensor::of<double>(DType::kFloat64, shape, values), dtype);
}

}  // namespace

void derive_inputs(const BlockDefinition& block, std::vector<NamedTensor>& inputs) {
  const auto wants = [&](std::string_view name) {
    const std::vector<std::string> names = block.inputs();
    return std::find(names.begin(), names.end(), name) != names.end() && find(inputs, name) == nullptr;
  };
  const Tensor* shapes = find(inputs, "spatial_shapes");
  const bool has_shapes = shapes != nullptr && shapes->dtype() == DType::kInt64 &&
                          shapes->shape().size() == 2 && shapes->dim(1) == 2;
  if (wants("valid_ratios") && has_shapes) {
    if (const Tensor* embeds = find(inputs, "inputs_embeds");
        embeds != nullptr && embeds->shape().size() == 3) {
      inputs.push_back({"valid_ratios", ones(embeds->dtype(), {embeds->dim(0), shapes->dim(0), 2})});
      shapes = find(inputs, "spatial_shapes");
    }
  }
  if (wants("level_start_index") && has_shapes) {
    const std::vector<std::int64_t> starts =
        level_starts(level_sizes({block.name(), {}, {{"spatial_shapes", *shapes}}, {}}));
    inputs.push_back(
        {"level_start_index",
         Tensor::of<std::int64_t>(DType::kInt64, {static_cast<std::int64_t>(starts.size())}, starts)});
  }
  if (block.name() == "attention_layer" && wants("encoder_hidden_states")) {
    if (const Tensor* hidden = find(inputs, "hidden_states")) {
      const Tensor same = *hidden;
      inputs.push_back({"encoder_hidden_states", same});
    }
  }
}

}  // namespace deformdiff
