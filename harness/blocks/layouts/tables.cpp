#include "blocks/layouts/tables.h"

#include "blocks/block_list.h"

#include <map>
#include <mutex>
#include <set>
#include <tuple>

namespace deformdiff {
namespace {

/// Any number after "layers.", "input_projections." and the like, as a letter.
std::string with_letters(const std::string& name) {
  static const std::vector<std::pair<std::string, std::string>> numbered{
      {"encoder.layers.", "{i}"}, {"decoder.layers.", "{i}"}, {"input_projections.", "{l}"}};
  std::string text = name;
  for (const auto& [before, letter] : numbered) {
    const std::size_t at = text.find(before);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + before.size(), end = text.find_first_not_of("0123456789", begin);
    text.replace(begin, (end == std::string::npos ? text.size() : end) - begin, letter);
  }
  if (text.starts_with("layers.")) {
    const std::size_t end = text.find_first_not_of("0123456789", 7);
    text.replace(7, end - 7, "{i}");
  }
  return text;
}

/// Ours, each name as it is.
NameTable own_parameters(const BlockDefinition& block) {
  NameTable table;
  std::set<std::string> seen;
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.name.starts_with("param.")) continue;
    const std::string pattern = with_letters(spec.name.substr(6));
    if (seen.insert(pattern).second) table.emplace_back(pattern, pattern);
  }
  return table;
}

LayoutTables tables_of(Layout layout, const std::string& block, bool pre_norm) {
  switch (layout) {
    case Layout::kHuggingface:
      return {own_parameters(*find_block_definition(block)), {}, {}, {}};
    case Layout::kMmdet:
      return mmdet_tables(block);
    case Layout::kFacebook:
      return facebook_tables(block, pre_norm);
  }
  return {};
}

}  // namespace

PatternEntry::PatternEntry(std::string theirs_text, std::string ours_text, Rearrangement rearrangement)
    : theirs(std::move(theirs_text)),
      ours(std::move(ours_text)),
      how(rearrangement),
      theirs_pattern(theirs),
      ours_pattern(ours) {}

const LayoutTables& layout_tables(Layout layout, const std::string& block, bool pre_norm) {
  static std::mutex mutex;
  static std::map<std::tuple<Layout, std::string, bool>, LayoutTables> cache;
  const std::scoped_lock lock(mutex);
  const auto key = std::make_tuple(layout, block, pre_norm);
  const auto found = cache.find(key);
  if (found != cache.end()) return found->second;
  return cache.emplace(key, tables_of(layout, block, pre_norm)).first->second;
}

NameTable prefixed(const NameTable& table, const std::string& theirs, const std::string& ours) {
  NameTable result;
  for (const PatternEntry& entry : table)
    result.emplace_back(theirs + entry.theirs, ours + entry.ours, entry.how);
  return result;
}

NameTable called(const NameTable& table) {
  NameTable result;
  for (const PatternEntry& entry : table)
    result.emplace_back(entry.theirs + "#{k}", entry.ours + "#{k}", entry.how);
  return result;
}

NameTable attention_parameters() {
  return modules({{"sampling_offsets", "sampling_offsets"},
                  {"attention_weights", "attention_weights"},
                  {"value_proj", "value_proj"},
                  {"output_proj", "output_proj"}});
}

NameTable attention_stages() {
  NameTable table;
  for (const char* name :
       {"query", "value_proj", "sampling_offsets", "attention_weights", "msda.value",
        "msda.sampling_locations", "msda.attention_weights", "msda.output", "output_proj"}) {
    table.emplace_back(name, name);
  }
  return table;
}

NameTable position_stages(const std::string& theirs, const std::string& ours) {
  NameTable table{{theirs, ours}};
  for (const char* name : {".x_embed", ".y_embed", ".dim_t", ".angle_x", ".angle_y"}) {
    table.emplace_back(theirs + name, ours + name);
  }
  return called(table);
}

NameTable self_attention_parameters(const std::string& theirs) {
  NameTable table = modules({{theirs + ".out_proj", "self_attn.out_proj"}});
  for (const std::string part : {"weight", "bias"}) {
    const std::string packed = theirs + ".in_proj_" + part;
    table.emplace_back(packed, "self_attn.q_proj." + part, Rearrangement::kFirstThird);
    table.emplace_back(packed, "self_attn.k_proj." + part, Rearrangement::kSecondThird);
    table.emplace_back(packed, "self_attn.v_proj." + part, Rearrangement::kLastThird);
  }
  return table;
}

NameTable modules(const std::vector<std::pair<std::string, std::string>>& names) {
  NameTable table;
  for (const auto& [theirs, ours] : names) {
    table.emplace_back(theirs + ".weight", ours + ".weight");
    table.emplace_back(theirs + ".bias", ours + ".bias");
  }
  return table;
}

void append(NameTable& table, const NameTable& more) {
  table.insert(table.end(), more.begin(), more.end());
}

}  // namespace deformdiff
