// The names of facebookresearch/Mask2Former.
#include "blocks/layouts/tables.h"

namespace deformdiff {
namespace {

using enum Rearrangement;

constexpr const char* kModule = "model.transformer_module.";
constexpr const char* kDecoder = "model.transformer_module.decoder.";
constexpr const char* kPixelDecoder = "model.pixel_level_module.decoder.";

LayoutTables attention_layer() {
  return {attention_parameters(),
          attention_stages(),
          {{"query", "hidden_states"},
           {"input_flatten", "encoder_hidden_states"},
           {"input_spatial_shapes", "spatial_shapes"},
           {"input_level_start_index", "level_start_index"},
           {"input_padding_mask", "attention_mask"}},
          {}};
}

LayoutTables encoder_layer() {
  LayoutTables tables;
  tables.parameters = modules({{"norm1", "self_attn_layer_norm"},
                               {"linear1", "fc1"},
                               {"linear2", "fc2"},
                               {"norm2", "final_layer_norm"}});
  append(tables.parameters, prefixed(attention_parameters(), "self_attn.", "self_attn."));
  tables.stages = {{"self_attn_residual", "self_attn_residual"},
                   {"norm1", "self_attn_layer_norm"},
                   {"linear1", "fc1"},
                   {"activation", "activation"},
                   {"linear2", "fc2"},
                   {"ffn_residual", "ffn_residual"},
                   {"norm2", "final_layer_norm"},
                   {"self_attn", "self_attn.output_proj"}};
  append(tables.stages, prefixed(attention_stages(), "self_attn.", "self_attn."));
  tables.inputs = {
      {"src", "hidden_states"}, {"pos", "position_embeddings"}, {"padding_mask", "attention_mask"}};
  tables.outputs = {{"src", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

LayoutTables pixel_decoder_encoder() {
  LayoutTables tables;
  tables.parameters = prefixed(encoder_layer().parameters, "layers.{i}.", "layers.{i}.");
  tables.stages = {{"layers.{i}", "layers.{i}"},
                   {"reference_points", "reference_points"},
                   {"reference_points_per_level.{l}", "reference_points_per_level.{l}"}};
  append(tables.stages, prefixed(encoder_layer().stages, "layers.{i}.", "layers.{i}."));
  tables.inputs = {
      {"src", "inputs_embeds"}, {"pos", "position_embeddings"}, {"padding_mask", "attention_mask"}};
  tables.outputs = {{"output", "last_hidden_state"}};
  return tables;
}

LayoutTables pixel_decoder() {
  LayoutTables tables;
  tables.parameters = modules({{"input_proj.{l}.0", "input_projections.{l}.0"},
                               {"input_proj.{l}.1", "input_projections.{l}.1"},
                               {"adapter_1.norm", "adapter_1.1"},
                               {"layer_1.norm", "layer_1.1"},
                               {"mask_features", "mask_projection"}});
  append(tables.parameters, {{"adapter_1.weight", "adapter_1.0.weight"},
                             {"layer_1.weight", "layer_1.0.weight"},
                             {"transformer.level_embed", "level_embed"}});
  append(tables.parameters, prefixed(pixel_decoder_encoder().parameters, "transformer.encoder.", "encoder."));
  tables.stages = {{"input_proj.{l}.0", "input_projections.{l}.0"},
                   {"input_proj.{l}.1", "input_projections.{l}.1"},
                   {"input_proj.{l}", "input_projections.{l}.1"},
                   {"transformer.level_pos_embed.{l}", "level_pos_embed.{l}"},
                   {"transformer.src_flatten", "encoder.inputs_embeds"},
                   {"transformer.lvl_pos_embed_flatten", "encoder.position_embeddings"},
                   {"multi_scale_features.{l}", "multi_scale_features.{l}"},
                   {"adapter_1.conv", "adapter_1.0"},
                   {"adapter_1.norm", "adapter_1.1"},
                   {"adapter_1", "adapter_1.1"},
                   {"fpn_interpolate", "fpn_interpolate"},
                   {"fpn_sum", "fpn_sum"},
                   {"layer_1.conv", "layer_1.0"},
                   {"layer_1.norm", "layer_1.1"},
                   {"layer_1", "layer_1.2"},
                   {"mask_features", "mask_projection"}};
  append(tables.stages, position_stages("pe_layer", "position_embedding"));
  append(tables.stages, prefixed(pixel_decoder_encoder().stages, "transformer.encoder.", "encoder."));
  return tables;
}

/// Parts of a layer lie in lists of their own, `list`.{i}; ours are under `ours`.
NameTable cross_attention_stages(const std::string& list, const std::string& ours, bool pre_norm) {
  NameTable table{{".multihead_attn", "cross_attn"},
                  {".residual", "cross_attn_residual"},
                  {".norm", "cross_attn_layer_norm"},
                  {"", pre_norm ? "cross_attn_residual" : "cross_attn_layer_norm"}};
  for (const char* name : {"query", "key", "q", "k", "v", "q_scaled", "scores", "probabilities", "context"}) {
    table.emplace_back(std::string(".multihead_attn.") + name, std::string("cross_attn.") + name);
  }
  return prefixed(table, list + ".{i}", ours);
}

NameTable self_attention_stages(const std::string& list, const std::string& ours, bool pre_norm) {
  const NameTable table{{".self_attn", "self_attn"},
                        {".self_attn.query", "self_attn.query", kSwapped},
                        {".self_attn.q", "self_attn.q_proj", kSwapped},
                        {".self_attn.k", "self_attn.k_proj", kSwapped},
                        {".self_attn.v", "self_attn.v_proj", kSwapped},
                        {".self_attn.q_scaled", "self_attn.q_scaled", kHeadsApart},
                        {".self_attn.scores", "self_attn.scores"},
                        {".self_attn.probabilities", "self_attn.probabilities"},
                        {".self_attn.context", "self_attn.context"},
                        {".self_attn", "self_attn.out_proj", kSwapped},
                        {".residual", "self_attn_residual"},
                        {".norm", "self_attn_layer_norm"},
                        {"", pre_norm ? "self_attn_residual" : "self_attn_layer_norm"}};
  return prefixed(table, list + ".{i}", ours);
}

NameTable feed_forward_stages(const std::string& list, const std::string& ours, bool pre_norm) {
  const NameTable table{{".linear1", "fc1"},           {".activation", "activation_fn"},
                        {".linear2", "fc2"},           {".residual", "ffn_residual"},
                        {".norm", "final_layer_norm"}, {"", pre_norm ? "ffn_residual" : "final_layer_norm"}};
  return prefixed(table, list + ".{i}", ours);
}

/// `ours` is "" for a layer alone and "model.transformer_module.decoder.layers.{i}." in a decoder.
LayoutTables decoder_layers(const std::string& ours, bool pre_norm) {
  const std::string cross = "transformer_cross_attention_layers", self = "transformer_self_attention_layers",
                    ffn = "transformer_ffn_layers";
  LayoutTables tables;
  NameTable packed{{".multihead_attn.in_proj_weight", "cross_attn.in_proj_weight"},
                   {".multihead_attn.in_proj_bias", "cross_attn.in_proj_bias"}};
  append(packed,
         modules({{".multihead_attn.out_proj", "cross_attn.out_proj"}, {".norm", "cross_attn_layer_norm"}}));
  append(tables.parameters, prefixed(packed, cross + ".{i}", ours));
  NameTable apart = self_attention_parameters(".self_attn");
  append(apart, modules({{".norm", "self_attn_layer_norm"}}));
  append(tables.parameters, prefixed(apart, self + ".{i}", ours));
  append(tables.parameters,
         prefixed(modules({{".linear1", "fc1"}, {".linear2", "fc2"}, {".norm", "final_layer_norm"}}),
                  ffn + ".{i}", ours));
  append(tables.stages, cross_attention_stages(cross, ours, pre_norm));
  append(tables.stages, self_attention_stages(self, ours, pre_norm));
  append(tables.stages, feed_forward_stages(ffn, ours, pre_norm));
  tables.inputs = {{"tgt", "hidden_states"},
                   {"query_pos", "query_position_embeddings"},
                   {"memory", "encoder_hidden_states"},
                   {"pos", "position_embeddings"},
                   {"memory_mask", "attention_mask"}};
  tables.outputs = {{"tgt", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

/// Ours lie under `norm`, `classes` and `masks`; `call` is "" or "#{k}".
LayoutTables predictions(const std::string& norm, const std::string& classes, const std::string& masks,
                         const std::string& call) {
  LayoutTables tables;
  tables.parameters = modules({{"decoder_norm", norm},
                               {"class_embed", classes},
                               {"mask_embed.layers.0", masks + ".mask_embedder.0.0"},
                               {"mask_embed.layers.1", masks + ".mask_embedder.1.0"},
                               {"mask_embed.layers.2", masks + ".mask_embedder.2.0"}});
  tables.stages = {{"decoder_norm" + call, norm + call},
                   {"class_embed" + call, classes + call},
                   {"mask_embed.layers.0" + call, masks + ".mask_embedder.0.0" + call},
                   {"mask_embed.layers.1" + call, masks + ".mask_embedder.1.0" + call},
                   {"mask_embed.layers.2" + call, masks + ".mask_embedder.2.0" + call},
                   {"mask_embed" + call, masks + ".mask_embedder.2.0" + call}};
  for (const char* name :
       {"mask_logits", "resized_mask_logits", "mask_probabilities", "attention_mask_raw"}) {
    tables.stages.emplace_back(name + call, masks + "." + name + call);
  }
  // One activation module runs twice a prediction.
  const std::string first = call.empty() ? "#0" : "#{2k}", second = call.empty() ? "#1" : "#{2k+1}";
  tables.stages.emplace_back("mask_embed.activation" + first, masks + ".mask_embedder.0.1" + call);
  tables.stages.emplace_back("mask_embed.activation" + second, masks + ".mask_embedder.1.1" + call);
  tables.inputs = {{"output", "hidden_states"},
                   {"mask_features", "pixel_embeddings"},
                   {"attn_mask_target_size", "target_size"}};
  tables.outputs = {{"decoder_output", "normalized"},
                    {"outputs_class", "class_logits"},
                    {"outputs_mask", "mask_logits"},
                    {"attn_mask", "attention_mask"}};
  return tables;
}

const NameTable& logits() {
  static const NameTable table{{"pred_logits", "class_queries_logits"},
                               {"pred_masks", "masks_queries_logits"}};
  return table;
}

LayoutTables transformer_decoder(bool pre_norm) {
  const std::string module = kModule, decoder = kDecoder;
  LayoutTables tables = decoder_layers(decoder + "layers.{i}.", pre_norm);
  const LayoutTables heads =
      predictions(decoder + "layernorm", "class_predictor", decoder + "mask_predictor", "#{k}");
  append(tables.parameters, heads.parameters);
  append(tables.parameters, {{"query_embed.weight", module + "queries_embedder.weight"},
                             {"query_feat.weight", module + "queries_features.weight"},
                             {"static_query.weight", module + "queries_features.weight"},
                             {"level_embed.weight", module + "level_embed.weight"}});
  append(tables.parameters, modules({{"input_proj.{l}", module + "input_projections.{l}"}}));
  // A layer's last module hands on what the layer puts out.
  tables.stages.emplace(tables.stages.begin(), "transformer_ffn_layers.{i}", decoder + "layers.{i}");
  append(tables.stages, heads.stages);
  append(tables.stages,
         {{"src.{l}", decoder + "encoder_hidden_states.{l}", kChannelsInMiddle},
          {"input_proj.{l}", module + "input_projections.{l}"},
          {"transformer_cross_attention_layers.{i}.memory_mask", decoder + "attention_mask#{i}"}});
  append(tables.stages, position_stages("pe_layer", module + "position_embedder"));
  tables.inputs = {{"x.{l}", "multi_scale_features.{l}"}};
  tables.outputs = logits();
  return tables;
}

LayoutTables mask2former_head(bool pre_norm) {
  const LayoutTables pixels = pixel_decoder(), decoder = transformer_decoder(pre_norm);
  LayoutTables tables;
  tables.parameters = prefixed(pixels.parameters, "pixel_decoder.", kPixelDecoder);
  append(tables.parameters, prefixed(decoder.parameters, "predictor.", ""));
  tables.stages = prefixed(pixels.stages, "pixel_decoder.", kPixelDecoder);
  append(tables.stages, prefixed(decoder.stages, "predictor.", ""));
  tables.outputs = logits();
  return tables;
}

}  // namespace

LayoutTables facebook_tables(const std::string& block, bool pre_norm) {
  if (block == "attention_layer") return attention_layer();
  if (block == "encoder_layer") return encoder_layer();
  if (block == "pixel_decoder_encoder") return pixel_decoder_encoder();
  if (block == "pixel_decoder") return pixel_decoder();
  if (block == "decoder_layer") return decoder_layers("", pre_norm);
  if (block == "mask_predictor") return predictions("layernorm", "class_predictor", "mask_predictor", "");
  if (block == "transformer_decoder") return transformer_decoder(pre_norm);
  if (block == "mask2former_head") return mask2former_head(pre_norm);
  return {};
}

}  // namespace deformdiff
