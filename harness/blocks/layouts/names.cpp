#include "blocks/layouts/names.h"

#include "blocks/layouts/tables.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// In the order of Layout.
constexpr std::array<std::string_view, 3> kLayouts{"huggingface", "mmdet", "facebook"};

bool has_pre_norm(const Attributes& attributes) {
  const auto found = attributes.find("pre_norm");
  return found != attributes.end() && found->second != 0;
}

LayoutTables make_tables(Layout layout, const BlockDefinition& block, bool pre_norm) {
  switch (layout) {
    case Layout::kHuggingface:
      return huggingface_tables(block);
    case Layout::kMmdet:
      return mmdet_tables(block);
    case Layout::kFacebook:
      return facebook_tables(block, pre_norm);
  }
  return {};
}

/// Made once, and kept as long as the program runs.
const LayoutTables& tables_of(Layout layout, const BlockDefinition& block, bool pre_norm) {
  static std::mutex mutex;
  static std::map<std::tuple<Layout, std::string, bool>, LayoutTables> made;
  const std::scoped_lock lock(mutex);
  const auto key = std::make_tuple(layout, block.name(), pre_norm);
  const auto found = made.find(key);
  if (found != made.end()) return found->second;
  return made.emplace(key, make_tables(layout, block, pre_norm)).first->second;
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
std::optional<std::string> feature_of(std::string_view name) {
  static const NamePattern residual_stage("res{r}");
  const auto numbers = residual_stage.match(name);
  if (!numbers || numbers->at('r') < 2) return std::nullopt;
  return fmt::format("features.{}", numbers->at('r') - 2);
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string_view name_of(Layout layout) {
  return kLayouts[static_cast<std::size_t>(layout)];
}

std::optional<Layout> layout_from_name(std::string_view name) {
  const auto found = std::ranges::find(kLayouts, name);
  if (found == kLayouts.end()) return std::nullopt;
  return static_cast<Layout>(found - kLayouts.begin());
}

LayoutNames::LayoutNames(Layout layout, const BlockDefinition& block, const Attributes& attributes)
    : layout_(layout),
      block_(block),
      attributes_(attributes),
      tables_(tables_of(layout, block, has_pre_norm(attributes))) {
  if (layout == Layout::kMmdet && has_pre_norm(attributes)) {
    throw InputError(
        fmt::format("block {}: attribute 'pre_norm' is 1, but MMDetection's layers norm sums", block.name()));
  }
  for (const auto& [name, value] : block.default_attributes()) attributes_.emplace(name, value);
}

std::optional<LayoutEntry> LayoutNames::stage(std::string_view theirs) const {
  if (tables_.stages.empty()) return LayoutEntry{std::string(theirs), std::string(theirs)};
  return first_match(tables_.stages, theirs);
}

std::vector<LayoutEntry> LayoutNames::stages(std::string_view theirs) const {
  if (tables_.stages.empty()) return {{std::string(theirs), std::string(theirs)}};
  return all_matches(tables_.stages, theirs);
}

std::optional<std::string> LayoutNames::their_stage(std::string_view ours) const {
  if (tables_.stages.empty()) return std::string(ours);
  return first_reverse(tables_.stages, ours);
}

std::optional<LayoutEntry> LayoutNames::input(std::string_view theirs) const {
  if (const auto found = first_match(tables_.inputs, theirs)) return found;
  const std::vector<std::string> ours = block_.input_names(attributes_);
  if (contains(ours, "features.0")) {
    if (const auto feature = feature_of(theirs)) return LayoutEntry{std::string(theirs), *feature};
  }
  if (!contains(ours, theirs)) return std::nullopt;
  return LayoutEntry{std::string(theirs), std::string(theirs)};
}

std::optional<LayoutEntry> LayoutNames::output(std::string_view theirs) const {
  if (const auto found = first_match(tables_.outputs, theirs)) return found;
  if (!contains(output_order(), theirs)) return std::nullopt;
  return LayoutEntry{std::string(theirs), std::string(theirs)};
}

std::vector<LayoutEntry> LayoutNames::parameters(std::string_view theirs) const {
  return all_matches(tables_.parameters, theirs);
}

std::string LayoutNames::their_input(std::string_view ours) const {
  return first_reverse(tables_.inputs, ours).value_or(std::string(ours));
}

std::string LayoutNames::their_output(std::string_view ours) const {
  return first_reverse(tables_.outputs, ours).value_or(std::string(ours));
}

std::optional<std::string> LayoutNames::their_parameter(std::string_view ours) const {
  return first_reverse(tables_.parameters, ours);
}

std::vector<std::string> LayoutNames::input_order() const {
  return tables_.input_order.empty() ? block_.input_names(attributes_) : tables_.input_order;
}

std::vector<std::string> LayoutNames::output_order() const {
  return block_.output_names_of(attributes_);
}

}  // namespace deformdiff
