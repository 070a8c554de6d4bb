// The names of facebookresearch/Mask2Former.
#include "blocks/layouts/tables.h"

namespace deformdiff {
namespace {

using enum Rearrangement;

LayoutTables attention_layer() {
  LayoutTables tables = deformable_attention();
  tables.inputs = {{"query", "hidden_states"},
                   {"input_flatten", "encoder_hidden_states"},
                   {"input_spatial_shapes", "spatial_shapes"},
                   {"input_level_start_index", "level_start_index"},
                   {"input_padding_mask", "attention_mask"}};
  tables.input_order = {"hidden_states",  "reference_points",  "encoder_hidden_states",
                        "spatial_shapes", "level_start_index", "attention_mask"};
  return tables;
}

LayoutTables encoder_layer() {
  LayoutTables tables;
  tables.add_modules({{"norm1", "self_attn_layer_norm"},
                      {"linear1", "fc1"},
                      {"linear2", "fc2"},
                      {"norm2", "final_layer_norm"}});
  append(tables.stages, same_names({"self_attn_residual", "activation", "ffn_residual"}));
  append(tables.stages, {{"self_attn", "self_attn.output_proj"}});
  tables.add(deformable_attention(), "self_attn.", "self_attn.");
  tables.inputs = {
      {"src", "hidden_states"}, {"pos", "position_embeddings"}, {"padding_mask", "attention_mask"}};
  tables.outputs = {{"src", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

LayoutTables pixel_decoder_encoder() {
  LayoutTables tables = encoder_of(encoder_layer());
  append(tables.stages, same_names({"reference_points_per_level.{l}"}));
  tables.inputs = {
      {"src", "inputs_embeds"}, {"pos", "position_embeddings"}, {"padding_mask", "attention_mask"}};
  tables.outputs = {{"output", "last_hidden_state"}};
  tables.input_order = {"inputs_embeds", "spatial_shapes",      "level_start_index",
                        "valid_ratios",  "position_embeddings", "attention_mask"};
  return tables;
}

LayoutTables pixel_decoder() {
  LayoutTables tables;
  tables.add_modules({{"input_proj.{l}.0", "input_projections.{l}.0"},
                      {"input_proj.{l}.1", "input_projections.{l}.1"},
                      {"adapter_1.norm", "adapter_1.1"},
                      {"layer_1.norm", "layer_1.1"},
                      {"mask_features", "mask_projection"}});
  append(tables.parameters, {{"adapter_1.weight", "adapter_1.0.weight"},
                             {"layer_1.weight", "layer_1.0.weight"},
                             {"transformer.level_embed", "level_embed"}});
  append(tables.stages, {{"input_proj.{l}", "input_projections.{l}.1"},
                         {"transformer.level_pos_embed.{l}", "level_pos_embed.{l}"},
                         {"transformer.src_flatten", "encoder.inputs_embeds"},
                         {"transformer.lvl_pos_embed_flatten", "encoder.position_embeddings"},
                         {"adapter_1.conv", "adapter_1.0"},
                         {"adapter_1", "adapter_1.1"},
                         {"layer_1.conv", "layer_1.0"},
                         {"layer_1", "layer_1.2"}});
  append(tables.stages, same_names({"multi_scale_features.{l}", "fpn_interpolate", "fpn_sum"}));
  append(tables.stages, position_stages("pe_layer", "position_embedding"));
  tables.add(pixel_decoder_encoder(), "transformer.encoder.", "encoder.");
  return tables;
}

/// `ours` is "" for a layer alone and "model.transformer_module.decoder.layers.{i}." in a decoder. Parts of a
/// layer lie in lists of their own.
LayoutTables decoder_layers(const std::string& ours, bool pre_norm) {
  LayoutTables tables;
  const auto add = [&](LayoutTables part, const std::string& list, const std::string& sum,
                       const std::string& norm) {
    part.add_modules({{".norm", norm}});
    append(part.stages, {{".residual", sum}, {"", pre_norm ? sum : norm}});
    tables.add(part, list + ".{i}", ours);
  };
  LayoutTables cross = cross_attention(".multihead_attn");
  append(cross.stages,
         {{".multihead_attn.query", "cross_attn.query"}, {".multihead_attn.key", "cross_attn.key"}});
  LayoutTables self = self_attention(".self_attn");
  append(self.stages, {{".self_attn.query", "self_attn.query", kSwapped}});
  LayoutTables ffn;
  ffn.add_modules({{".linear1", "fc1"}, {".linear2", "fc2"}});
  append(ffn.stages, {{".activation", "activation_fn"}});
  add(cross, "transformer_cross_attention_layers", "cross_attn_residual", "cross_attn_layer_norm");
  add(self, "transformer_self_attention_layers", "self_attn_residual", "self_attn_layer_norm");
  add(ffn, "transformer_ffn_layers", "ffn_residual", "final_layer_norm");
  tables.inputs = {{"tgt", "hidden_states"},
                   {"query_pos", "query_position_embeddings"},
                   {"memory", "encoder_hidden_states"},
                   {"pos", "position_embeddings"},
                   {"memory_mask", "attention_mask"}};
  tables.outputs = {{"tgt", "hidden_states"}, {"output", "hidden_states"}};
  return tables;
}

LayoutTables predictions(const PredictionNames& ours) {
  const std::string embedder = ours.masks + ".mask_embedder.";
  LayoutTables tables;
  tables.add_modules({{"decoder_norm", ours.norm},
                      {"class_embed", ours.classes},
                      {"mask_embed.layers.0", embedder + "0.0"},
                      {"mask_embed.layers.1", embedder + "1.0"},
                      {"mask_embed.layers.2", embedder + "2.0"}},
                     kNone, ours.call);
  // One activation module runs twice a prediction.
  const bool alone = ours.call.empty();
  append(
      tables.stages,
      {{"mask_embed" + ours.call, embedder + "2.0" + ours.call},
       {alone ? "mask_embed.activation#0" : "mask_embed.activation#{2k}", embedder + "0.1" + ours.call},
       {alone ? "mask_embed.activation#1" : "mask_embed.activation#{2k+1}", embedder + "1.1" + ours.call}});
  append(tables.stages, mask_stages(ours));
  tables.inputs = {{"output", "hidden_states"},
                   {"mask_features", "pixel_embeddings"},
                   {"attn_mask_target_size", "target_size"}};
  tables.outputs = {{"decoder_output", "normalized"},
                    {"outputs_class", "class_logits"},
                    {"outputs_mask", "mask_logits"},
                    {"attn_mask", "attention_mask"}};
  return tables;
}

LayoutTables transformer_decoder(bool pre_norm) {
  LayoutTables tables;
  // A layer's last module hands on what the layer puts out.
  tables.stages = {{"transformer_ffn_layers.{i}", kDecoder + "layers.{i}"}};
  tables.add(decoder_layers(kDecoder + "layers.{i}.", pre_norm), "", "");
  tables.add(predictions(predictor_in_decoder()), "", "");
  append(tables.parameters, query_parameters());
  append(tables.parameters, {{"static_query.weight", kTransformer + "queries_features.weight"}});
  tables.add_modules({{"input_proj.{l}", kTransformer + "input_projections.{l}"}});
  append(tables.stages,
         {{"src.{l}", kDecoder + "encoder_hidden_states.{l}", kChannelsInMiddle},
          {"transformer_cross_attention_layers.{i}.memory_mask", kDecoder + "attention_mask#{i}"}});
  append(tables.stages, position_stages("pe_layer", kTransformer + "position_embedder"));
  tables.inputs = {{"x.{l}", "multi_scale_features.{l}"}};
  tables.outputs = {{"pred_logits", "class_queries_logits"}, {"pred_masks", "masks_queries_logits"}};
  return tables;
}

}  // namespace

LayoutTables facebook_tables(const BlockDefinition& definition, bool pre_norm) {
  const std::string block = definition.name();
  if (block == "attention_layer") return attention_layer();
  if (block == "encoder_layer") return encoder_layer();
  if (block == "pixel_decoder_encoder") return pixel_decoder_encoder();
  if (block == "pixel_decoder") return pixel_decoder();
  if (block == "decoder_layer") return decoder_layers("", pre_norm);
  if (block == "mask_predictor") return predictions(predictor_alone());
  if (block == "transformer_decoder") return transformer_decoder(pre_norm);
  if (block == "mask2former_head")
    return head_of(pixel_decoder(), transformer_decoder(pre_norm), "predictor.");
  return own_names(definition);
}

}  // namespace deformdiff
