// The names of MMDetection 3.x, and of MMCV's attention in it. Their attentions and feed-forward parts put
// out the sum with the residual themselves.
#include "blocks/layouts/tables.h"

namespace deformdiff {
namespace {

using enum Rearrangement;

constexpr const char* kModule = "model.transformer_module.";
constexpr const char* kDecoder = "model.transformer_module.decoder.";
constexpr const char* kPixelDecoder = "model.pixel_level_module.decoder.";

LayoutTables attention_layer() {
  NameTable stages = attention_stages();
  stages.emplace_back("output", "output");
  return {attention_parameters(),
          stages,
          {{"query", "hidden_states"},
           {"query_pos", "position_embeddings"},
           {"value", "encoder_hidden_states"},
           {"key_padding_mask", "attention_mask"}},
          {}};
}

LayoutTables encoder_layer() {
  LayoutTables tables;
  tables.parameters = modules({{"norms.0", "self_attn_layer_norm"},
                               {"ffn.layers.0.0", "fc1"},
                               {"ffn.layers.1", "fc2"},
                               {"norms.1", "final_layer_norm"}});
  append(tables.parameters, prefixed(attention_parameters(), "self_attn.", "self_attn."));
  tables.stages = {{"self_attn", "self_attn_residual"},
                   {"norms.0", "self_attn_layer_norm"},
                   {"ffn.layers.0.0", "fc1"},
                   {"ffn.layers.0.1", "activation"},
                   {"ffn.layers.1", "fc2"},
                   {"ffn", "ffn_residual"},
                   {"norms.1", "final_layer_norm"}};
  append(tables.stages, prefixed(attention_stages(), "self_attn.", "self_attn."));
  tables.inputs = {{"query", "hidden_states"},
                   {"query_pos", "position_embeddings"},
                   {"key_padding_mask", "attention_mask"}};
  tables.outputs = {{"query", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

LayoutTables pixel_decoder_encoder() {
  LayoutTables tables;
  tables.parameters = prefixed(encoder_layer().parameters, "layers.{i}.", "layers.{i}.");
  tables.stages = {{"layers.{i}", "layers.{i}"}, {"reference_points", "reference_points"}};
  append(tables.stages, prefixed(encoder_layer().stages, "layers.{i}.", "layers.{i}."));
  tables.inputs = {{"query", "inputs_embeds"},
                   {"query_pos", "position_embeddings"},
                   {"key_padding_mask", "attention_mask"}};
  tables.outputs = {{"query", "last_hidden_state"}, {"output", "last_hidden_state"}};
  return tables;
}

LayoutTables pixel_decoder() {
  LayoutTables tables;
  tables.parameters = modules({{"input_convs.{l}.conv", "input_projections.{l}.0"},
                               {"input_convs.{l}.gn", "input_projections.{l}.1"},
                               {"lateral_convs.0.gn", "adapter_1.1"},
                               {"output_convs.0.gn", "layer_1.1"},
                               {"mask_feature", "mask_projection"}});
  append(tables.parameters, {{"lateral_convs.0.conv.weight", "adapter_1.0.weight"},
                             {"output_convs.0.conv.weight", "layer_1.0.weight"},
                             {"level_encoding.weight", "level_embed"}});
  append(tables.parameters, prefixed(pixel_decoder_encoder().parameters, "encoder.", "encoder."));
  tables.stages = {
      {"input_convs.{l}.conv", "input_projections.{l}.0"},
      {"input_convs.{l}.gn", "input_projections.{l}.1"},
      {"input_convs.{l}", "input_projections.{l}.1"},
      {"level_pos_embed.{l}", "level_pos_embed.{l}", kMapToSequence},
      {"encoder.query", "encoder.inputs_embeds"},
      {"encoder.query_pos", "encoder.position_embeddings"},
      {"reference_points_per_level.{l}", "encoder.reference_points_per_level.{l}", kOneForAllImages},
      {"multi_scale_features.{l}", "multi_scale_features.{l}"},
      {"lateral_convs.0.conv", "adapter_1.0"},
      {"lateral_convs.0.gn", "adapter_1.1"},
      {"lateral_convs.0", "adapter_1.1"},
      {"fpn_interpolate", "fpn_interpolate"},
      {"fpn_sum", "fpn_sum"},
      {"output_convs.0.conv", "layer_1.0"},
      {"output_convs.0.gn", "layer_1.1"},
      {"output_convs.0.activate", "layer_1.2"},
      {"output_convs.0", "layer_1.2"},
      {"mask_feature", "mask_projection"}};
  append(tables.stages,
         position_stages("postional_encoding", "position_embedding"));  // spelt so by MMDetection
  append(tables.stages, prefixed(pixel_decoder_encoder().stages, "encoder.", "encoder."));
  tables.outputs = {{"mask_feature", "mask_features"}};
  return tables;
}

LayoutTables decoder_layer() {
  LayoutTables tables;
  tables.parameters = modules({{"cross_attn.attn.out_proj", "cross_attn.out_proj"},
                               {"norms.0", "cross_attn_layer_norm"},
                               {"norms.1", "self_attn_layer_norm"},
                               {"ffn.layers.0.0", "fc1"},
                               {"ffn.layers.1", "fc2"},
                               {"norms.2", "final_layer_norm"}});
  append(tables.parameters, {{"cross_attn.attn.in_proj_weight", "cross_attn.in_proj_weight"},
                             {"cross_attn.attn.in_proj_bias", "cross_attn.in_proj_bias"}});
  append(tables.parameters, self_attention_parameters("self_attn.attn"));
  tables.stages = {{"cross_attn.query", "cross_attn.query", kSwapped},
                   {"cross_attn.key", "cross_attn.key", kSwapped},
                   {"cross_attn.attn", "cross_attn"},
                   {"cross_attn", "cross_attn_residual", kSwapped},
                   {"norms.0", "cross_attn_layer_norm", kSwapped},
                   {"self_attn.query", "self_attn.query"},
                   {"self_attn.key", "self_attn.query"},
                   {"self_attn.attn.q", "self_attn.q_proj", kSwapped},
                   {"self_attn.attn.k", "self_attn.k_proj", kSwapped},
                   {"self_attn.attn.v", "self_attn.v_proj", kSwapped},
                   {"self_attn.attn.q_scaled", "self_attn.q_scaled", kHeadsApart},
                   {"self_attn.attn.scores", "self_attn.scores"},
                   {"self_attn.attn.probabilities", "self_attn.probabilities"},
                   {"self_attn.attn.context", "self_attn.context"},
                   {"self_attn.attn", "self_attn"},
                   {"self_attn.attn", "self_attn.out_proj", kSwapped},
                   {"self_attn", "self_attn_residual", kSwapped},
                   {"norms.1", "self_attn_layer_norm", kSwapped},
                   {"ffn.layers.0.0", "fc1", kSwapped},
                   {"ffn.layers.0.1", "activation_fn", kSwapped},
                   {"ffn.layers.1", "fc2", kSwapped},
                   {"ffn", "ffn_residual", kSwapped},
                   {"norms.2", "final_layer_norm", kSwapped}};
  for (const char* name : {"q", "k", "v", "q_scaled", "scores", "probabilities", "context"}) {
    tables.stages.emplace_back(std::string("cross_attn.attn.") + name, std::string("cross_attn.") + name);
  }
  tables.inputs = {
      {"query", "hidden_states", kSwapped},         {"query_pos", "query_position_embeddings", kSwapped},
      {"key", "encoder_hidden_states", kSwapped},   {"value", "encoder_hidden_states", kSwapped},
      {"key_pos", "position_embeddings", kSwapped}, {"cross_attn_mask", "attention_mask"}};
  tables.outputs = {{"query", "hidden_states", kSwapped}, {"output", "hidden_states", kSwapped}};
  return tables;
}

/// Ours lie under `norm`, `classes` and `masks`; `call` is "" or "#{k}".
LayoutTables predictions(const std::string& norm, const std::string& classes, const std::string& masks,
                         const std::string& call) {
  LayoutTables tables;
  tables.parameters = modules({{"transformer_decoder.post_norm", norm},
                               {"cls_embed", classes},
                               {"mask_embed.0", masks + ".mask_embedder.0.0"},
                               {"mask_embed.2", masks + ".mask_embedder.1.0"},
                               {"mask_embed.4", masks + ".mask_embedder.2.0"}});
  tables.stages = {{"transformer_decoder.post_norm" + call, norm + call, kSwapped},
                   {"cls_embed" + call, classes + call},
                   {"mask_embed.0" + call, masks + ".mask_embedder.0.0" + call},
                   {"mask_embed.1" + call, masks + ".mask_embedder.0.1" + call},
                   {"mask_embed.2" + call, masks + ".mask_embedder.1.0" + call},
                   {"mask_embed.3" + call, masks + ".mask_embedder.1.1" + call},
                   {"mask_embed.4" + call, masks + ".mask_embedder.2.0" + call},
                   {"mask_logits" + call, masks + ".mask_logits" + call},
                   {"resized_mask_logits" + call, masks + ".resized_mask_logits" + call},
                   {"mask_probabilities" + call, masks + ".mask_probabilities" + call, kOneForEachHead},
                   {"attention_mask_raw" + call, masks + ".attention_mask_raw" + call}};
  tables.inputs = {{"decoder_out", "hidden_states", kSwapped},
                   {"mask_feature", "pixel_embeddings"},
                   {"attn_mask_target_size", "target_size"}};
  tables.outputs = {
      {"cls_pred", "class_logits"}, {"mask_pred", "mask_logits"}, {"attn_mask", "attention_mask"}};
  return tables;
}

const NameTable& logits() {
  static const NameTable table{{"cls_pred", "class_queries_logits"}, {"mask_pred", "masks_queries_logits"}};
  return table;
}

LayoutTables transformer_decoder() {
  const std::string module = kModule, decoder = kDecoder, ours = decoder + "layers.{i}.";
  const LayoutTables layer = decoder_layer();
  const LayoutTables heads =
      predictions(decoder + "layernorm", "class_predictor", decoder + "mask_predictor", "#{k}");
  LayoutTables tables;
  tables.parameters = prefixed(layer.parameters, "transformer_decoder.layers.{i}.", ours);
  append(tables.parameters, heads.parameters);
  append(tables.parameters, {{"query_embed.weight", module + "queries_embedder.weight"},
                             {"query_feat.weight", module + "queries_features.weight"},
                             {"level_embed.weight", module + "level_embed.weight"}});
  append(tables.parameters, modules({{"decoder_input_projs.{l}", module + "input_projections.{l}"}}));
  tables.stages = prefixed(layer.stages, "transformer_decoder.layers.{i}.", ours);
  append(tables.stages, heads.stages);
  append(tables.stages, {{"transformer_decoder.layers.{i}", decoder + "layers.{i}", kSwapped},
                         {"decoder_inputs.{l}", decoder + "encoder_hidden_states.{l}", kSwapped},
                         {"decoder_input_projs.{l}", module + "input_projections.{l}"},
                         {"attention_mask#{i}", decoder + "attention_mask#{i}"}});
  append(tables.stages, position_stages("decoder_positional_encoding", module + "position_embedder"));
  tables.inputs = {{"multi_scale_memorys.{l}", "multi_scale_features.{l}"}};
  tables.outputs = logits();
  return tables;
}

LayoutTables mask2former_head() {
  const LayoutTables pixels = pixel_decoder(), decoder = transformer_decoder();
  LayoutTables tables;
  tables.parameters = prefixed(pixels.parameters, "pixel_decoder.", kPixelDecoder);
  append(tables.parameters, decoder.parameters);
  tables.stages = prefixed(pixels.stages, "pixel_decoder.", kPixelDecoder);
  append(tables.stages, decoder.stages);
  tables.outputs = logits();
  return tables;
}

}  // namespace

LayoutTables mmdet_tables(const std::string& block) {
  if (block == "attention_layer") return attention_layer();
  if (block == "encoder_layer") return encoder_layer();
  if (block == "pixel_decoder_encoder") return pixel_decoder_encoder();
  if (block == "pixel_decoder") return pixel_decoder();
  if (block == "decoder_layer") return decoder_layer();
  if (block == "mask_predictor") return predictions("layernorm", "class_predictor", "mask_predictor", "");
  if (block == "transformer_decoder") return transformer_decoder();
  if (block == "mask2former_head") return mask2former_head();
  return {};
}

}  // namespace deformdiff
