#include "blocks/layouts/tables.h"

#include <set>

namespace deformdiff {
namespace {

using enum Rearrangement;

void append_prefixed(NameTable& table, const NameTable& more, const std::string& theirs,
                     const std::string& ours) {
  for (const PatternEntry& entry : more)
    table.emplace_back(theirs + entry.theirs, ours + entry.ours, entry.how);
}

/// A layer's or a level's number as a letter.
std::string with_letter(std::string name) {
  for (const std::string before : {"layers.", "input_projections."}) {
    const std::size_t at = name.find(before);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + before.size(), end = name.find('.', begin);
    return name.replace(begin, end - begin, "{i}");
  }
  return name;
}

}  // namespace

LayoutTables own_names(const BlockDefinition& block) {
  LayoutTables tables;
  std::set<std::string> seen;
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.is_parameter()) continue;
    const std::string name = with_letter(spec.name.substr(kParameterPrefix.size()));
    if (seen.insert(name).second) tables.parameters.emplace_back(name, name);
  }
  return tables;
}

PatternEntry::PatternEntry(std::string theirs_text, std::string ours_text, Rearrangement rearrangement)
    : theirs(std::move(theirs_text)),
      ours(std::move(ours_text)),
      how(rearrangement),
      theirs_pattern(theirs),
      ours_pattern(ours) {}

void append(NameTable& table, const NameTable& more) {
  table.insert(table.end(), more.begin(), more.end());
}

void LayoutTables::add_modules(const std::vector<std::pair<std::string, std::string>>& names,
                               Rearrangement how, const std::string& call) {
  for (const auto& [theirs, ours] : names) {
    for (const char* part : {".weight", ".bias"}) parameters.emplace_back(theirs + part, ours + part);
    stages.emplace_back(theirs + call, ours + call, how);
  }
}

void LayoutTables::add(const LayoutTables& part, const std::string& theirs, const std::string& ours) {
  append_prefixed(parameters, part.parameters, theirs, ours);
  append_prefixed(stages, part.stages, theirs, ours);
}

NameTable same_names(std::initializer_list<const char*> names) {
  NameTable table;
  for (const char* name : names) table.emplace_back(name, name);
  return table;
}

LayoutTables deformable_attention() {
  LayoutTables tables;
  tables.add_modules({{"sampling_offsets", "sampling_offsets"},
                      {"attention_weights", "attention_weights"},
                      {"value_proj", "value_proj"},
                      {"output_proj", "output_proj"}});
  append(tables.stages, same_names({"query", "msda.value", "msda.sampling_locations",
                                    "msda.attention_weights", "msda.output"}));
  return tables;
}

std::vector<std::string> attention_arguments() {
  return {"hidden_states",     "position_embeddings",   "reference_points", "spatial_shapes",
          "level_start_index", "encoder_hidden_states", "attention_mask"};
}

LayoutTables encoder_of(const LayoutTables& layer) {
  LayoutTables tables;
  tables.stages = same_names({"layers.{i}", "reference_points"});
  tables.add(layer, "layers.{i}.", "layers.{i}.");
  return tables;
}

LayoutTables cross_attention(const std::string& theirs) {
  LayoutTables tables;
  tables.parameters = {{theirs + ".in_proj_weight", "cross_attn.in_proj_weight"},
                       {theirs + ".in_proj_bias", "cross_attn.in_proj_bias"},
                       {theirs + ".out_proj.weight", "cross_attn.out_proj.weight"},
                       {theirs + ".out_proj.bias", "cross_attn.out_proj.bias"}};
  tables.stages = {{theirs, "cross_attn"}};
  append_prefixed(tables.stages,
                  same_names({"q", "k", "v", "q_scaled", "scores", "probabilities", "context"}), theirs + ".",
                  "cross_attn.");
  return tables;
}

LayoutTables self_attention(const std::string& theirs) {
  LayoutTables tables;
  for (const std::string part : {"weight", "bias"}) {
    const std::string packed = theirs + ".in_proj_" + part;
    append(tables.parameters, {{theirs + ".out_proj." + part, "self_attn.out_proj." + part},
                               {packed, "self_attn.q_proj." + part, kFirstThird},
                               {packed, "self_attn.k_proj." + part, kSecondThird},
                               {packed, "self_attn.v_proj." + part, kLastThird}});
  }
  tables.stages = {{theirs, "self_attn"},
                   {theirs, "self_attn.out_proj", kSwapped},
                   {theirs + ".q", "self_attn.q_proj", kSwapped},
                   {theirs + ".k", "self_attn.k_proj", kSwapped},
                   {theirs + ".v", "self_attn.v_proj", kSwapped},
                   {theirs + ".q_scaled", "self_attn.q_scaled", kHeadsApart}};
  append_prefixed(tables.stages, same_names({"scores", "probabilities", "context"}), theirs + ".",
                  "self_attn.");
  return tables;
}

NameTable position_stages(const std::string& theirs, const std::string& ours) {
  NameTable table;
  for (const char* name : {"", ".x_embed", ".y_embed", ".dim_t", ".angle_x", ".angle_y"}) {
    table.emplace_back(theirs + name + "#{k}", ours + name + "#{k}");
  }
  return table;
}

PredictionNames predictor_alone() {
  return {"layernorm", "class_predictor", "mask_predictor", ""};
}

PredictionNames predictor_in_decoder() {
  return {kDecoder + "layernorm", "class_predictor", kDecoder + "mask_predictor", "#{k}"};
}

NameTable mask_stages(const PredictionNames& ours, Rearrangement probabilities) {
  NameTable table;
  const auto add = [&](const std::string& name, Rearrangement how) {
    table.emplace_back(name + ours.call, ours.masks + "." + name + ours.call, how);
  };
  add("mask_logits", kNone);
  add("resized_mask_logits", kNone);
  add("mask_probabilities", probabilities);
  add("attention_mask_raw", kNone);
  return table;
}

NameTable query_parameters() {
  return {{"query_embed.weight", kTransformer + "queries_embedder.weight"},
          {"query_feat.weight", kTransformer + "queries_features.weight"},
          {"level_embed.weight", kTransformer + "level_embed.weight"}};
}

LayoutTables head_of(const LayoutTables& pixel_decoder, const LayoutTables& decoder,
                     const std::string& decoder_prefix) {
  LayoutTables tables;
  tables.add(pixel_decoder, "pixel_decoder.", kPixelDecoder);
  tables.add(decoder, decoder_prefix, "");
  tables.outputs = decoder.outputs;
  return tables;
}

}  // namespace deformdiff
