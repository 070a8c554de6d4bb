// The names of MMDetection 3.x, and of MMCV's attention in it. Their attentions and feed-forward parts put
// out the sum with the residual themselves.
#include "blocks/layouts/tables.h"

namespace deformdiff {
namespace {

using enum Rearrangement;

LayoutTables attention_layer() {
  LayoutTables tables = deformable_attention();
  append(tables.stages, same_names({"output"}));
  tables.inputs = {{"query", "hidden_states"},
                   {"query_pos", "position_embeddings"},
                   {"value", "encoder_hidden_states"},
                   {"key_padding_mask", "attention_mask"}};
  tables.input_order = attention_arguments();
  return tables;
}

LayoutTables encoder_layer() {
  LayoutTables tables;
  tables.add_modules({{"norms.0", "self_attn_layer_norm"},
                      {"ffn.layers.0.0", "fc1"},
                      {"ffn.layers.1", "fc2"},
                      {"norms.1", "final_layer_norm"}});
  append(tables.stages,
         {{"self_attn", "self_attn_residual"}, {"ffn.layers.0.1", "activation"}, {"ffn", "ffn_residual"}});
  tables.add(deformable_attention(), "self_attn.", "self_attn.");
  tables.inputs = {{"query", "hidden_states"},
                   {"query_pos", "position_embeddings"},
                   {"key_padding_mask", "attention_mask"}};
  tables.outputs = {{"query", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

LayoutTables pixel_decoder_encoder() {
  LayoutTables tables = encoder_of(encoder_layer());
  tables.inputs = {{"query", "inputs_embeds"},
                   {"query_pos", "position_embeddings"},
                   {"key_padding_mask", "attention_mask"}};
  tables.outputs = {{"query", "last_hidden_state"}, {"output", "last_hidden_state"}};
  return tables;
}

LayoutTables pixel_decoder() {
  LayoutTables tables;
  tables.add_modules({{"input_convs.{l}.conv", "input_projections.{l}.0"},
                      {"input_convs.{l}.gn", "input_projections.{l}.1"},
                      {"lateral_convs.0.gn", "adapter_1.1"},
                      {"output_convs.0.gn", "layer_1.1"},
                      {"mask_feature", "mask_projection"}});
  append(tables.parameters, {{"lateral_convs.0.conv.weight", "adapter_1.0.weight"},
                             {"output_convs.0.conv.weight", "layer_1.0.weight"},
                             {"level_encoding.weight", "level_embed"}});
  append(tables.stages,
         {{"input_convs.{l}", "input_projections.{l}.1"},
          {"level_pos_embed.{l}", "level_pos_embed.{l}", kMapToSequence},
          {"encoder.query", "encoder.inputs_embeds"},
          {"encoder.query_pos", "encoder.position_embeddings"},
          {"reference_points_per_level.{l}", "encoder.reference_points_per_level.{l}", kOneForAllImages},
          {"lateral_convs.0.conv", "adapter_1.0"},
          {"lateral_convs.0", "adapter_1.1"},
          {"output_convs.0.conv", "layer_1.0"},
          {"output_convs.0.activate", "layer_1.2"},
          {"output_convs.0", "layer_1.2"}});
  append(tables.stages, same_names({"multi_scale_features.{l}", "fpn_interpolate", "fpn_sum"}));
  append(tables.stages,
         position_stages("postional_encoding", "position_embedding"));  // spelt so by MMDetection
  tables.add(pixel_decoder_encoder(), "encoder.", "encoder.");
  tables.outputs = {{"mask_feature", "mask_features"}};
  return tables;
}

LayoutTables decoder_layer() {
  LayoutTables tables = cross_attention("cross_attn.attn");
  tables.add(self_attention("self_attn.attn"), "", "");
  tables.add_modules({{"norms.0", "cross_attn_layer_norm"},
                      {"norms.1", "self_attn_layer_norm"},
                      {"ffn.layers.0.0", "fc1"},
                      {"ffn.layers.1", "fc2"},
                      {"norms.2", "final_layer_norm"}},
                     kSwapped);
  append(tables.stages, {{"cross_attn.query", "cross_attn.query", kSwapped},
                         {"cross_attn.key", "cross_attn.key", kSwapped},
                         {"cross_attn", "cross_attn_residual", kSwapped},
                         {"self_attn.query", "self_attn.query"},
                         {"self_attn.key", "self_attn.query"},
                         {"self_attn", "self_attn_residual", kSwapped},
                         {"ffn.layers.0.1", "activation_fn", kSwapped},
                         {"ffn", "ffn_residual", kSwapped}});
  tables.inputs = {
      {"query", "hidden_states", kSwapped},         {"query_pos", "query_position_embeddings", kSwapped},
      {"key", "encoder_hidden_states", kSwapped},   {"value", "encoder_hidden_states", kSwapped},
      {"key_pos", "position_embeddings", kSwapped}, {"cross_attn_mask", "attention_mask"}};
  tables.outputs = {{"query", "hidden_states", kSwapped}, {"output", "hidden_states", kSwapped}};
  return tables;
}

LayoutTables predictions(const PredictionNames& ours) {
  const std::string embedder = ours.masks + ".mask_embedder.";
  LayoutTables tables;
  tables.add_modules({{"transformer_decoder.post_norm", ours.norm}}, kSwapped, ours.call);
  tables.add_modules({{"cls_embed", ours.classes},
                      {"mask_embed.0", embedder + "0.0"},
                      {"mask_embed.2", embedder + "1.0"},
                      {"mask_embed.4", embedder + "2.0"}},
                     kNone, ours.call);
  append(tables.stages, {{"mask_embed.1" + ours.call, embedder + "0.1" + ours.call},
                         {"mask_embed.3" + ours.call, embedder + "1.1" + ours.call}});
  append(tables.stages, mask_stages(ours, kOneForEachHead));
  tables.inputs = {{"decoder_out", "hidden_states", kSwapped},
                   {"mask_feature", "pixel_embeddings"},
                   {"attn_mask_target_size", "target_size"}};
  tables.outputs = {{"normalized", "normalized", kSwapped},
                    {"cls_pred", "class_logits"},
                    {"mask_pred", "mask_logits"},
                    {"attn_mask", "attention_mask"}};
  return tables;
}

LayoutTables transformer_decoder() {
  LayoutTables tables;
  tables.add(decoder_layer(), "transformer_decoder.layers.{i}.", kDecoder + "layers.{i}.");
  tables.add(predictions(predictor_in_decoder()), "", "");
  append(tables.parameters, query_parameters());
  tables.add_modules({{"decoder_input_projs.{l}", kTransformer + "input_projections.{l}"}});
  append(tables.stages, {{"transformer_decoder.layers.{i}", kDecoder + "layers.{i}", kSwapped},
                         {"decoder_inputs.{l}", kDecoder + "encoder_hidden_states.{l}", kSwapped},
                         {"attention_mask#{i}", kDecoder + "attention_mask#{i}"}});
  append(tables.stages, position_stages("decoder_positional_encoding", kTransformer + "position_embedder"));
  tables.inputs = {{"multi_scale_memorys.{l}", "multi_scale_features.{l}"}};
  tables.outputs = {{"cls_pred", "class_queries_logits"}, {"mask_pred", "masks_queries_logits"}};
  return tables;
}

}  // namespace

LayoutTables mmdet_tables(const BlockDefinition& definition) {
  const std::string block = definition.name();
  if (block == "attention_layer") return attention_layer();
  if (block == "encoder_layer") return encoder_layer();
  if (block == "pixel_decoder_encoder") return pixel_decoder_encoder();
  if (block == "pixel_decoder") return pixel_decoder();
  if (block == "decoder_layer") return decoder_layer();
  if (block == "mask_predictor") return predictions(predictor_alone());
  if (block == "transformer_decoder") return transformer_decoder();
  if (block == "mask2former_head") return head_of(pixel_decoder(), transformer_decoder(), "");
  return own_names(definition);
}

}  // namespace deformdiff
