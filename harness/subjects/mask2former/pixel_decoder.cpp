#include "subjects/mask2former/pixel_decoder.h"

#include "subjects/mask2former/positions.h"
#include "subjects/tracing/recorded_size.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softmax.h>

namespace deformdiff::worker::mask2former {
namespace {

constexpr std::int64_t kDefaultStep = 128;

/// What does not change from layer to layer.
struct Surroundings {
  const at::Tensor* position_embeddings;  ///< [N, Q, C]
  const at::Tensor* padding;              ///< bool [N, S], true where there is no pixel
  at::Tensor reference_points;            ///< [N, Q, L, 2], or 4: boxes
  at::Tensor spatial_shapes;              ///< int64 [L, 2]
  at::Tensor level_start_index;           ///< int64 [L]
  bool length_first = false;              ///< the layer is given [Q, N, C], and shows its query so
};

std::int64_t im2col_step(const Call& call) {
  return call.attributes.contains("im2col_step") ? call.integer("im2col_step") : kDefaultStep;
}

at::Tensor sampling_locations(const at::Tensor& offsets, const Surroundings& around, std::int64_t points) {
  // [N, Q, 1, L, 1, 2 or 4]
  const at::Tensor reference = around.reference_points.unsqueeze(2).unsqueeze(4);
  if (reference.size(-1) == 2) {
    const at::Tensor width_height = around.spatial_shapes.flip(1).to(offsets.options());
    return reference + offsets / width_height.unsqueeze(1);
  }
  const at::Tensor centre = reference.slice(-1, 0, 2), extent = reference.slice(-1, 2);
  return centre + offsets / points * extent * 0.5;
}

/// Batch first.
at::Tensor deformable_attention(const Scope& scope, const at::Tensor& hidden_states, const at::Tensor& memory,
                                const Surroundings& around) {
  const Call& call = scope.call();
  const std::int64_t heads = call.integer("num_heads"), points = call.integer("num_points");
  const std::int64_t levels = around.spatial_shapes.size(0);
  at::Tensor query = hidden_states;
  if (around.position_embeddings != nullptr) {
    const auto as_given = [&around](const at::Tensor& x) {
      return around.length_first ? x.transpose(0, 1) : x;
    };
    query = as_given(scope.show("query", as_given(hidden_states + *around.position_embeddings)));
  }
  at::Tensor value = linear(scope, "value_proj", memory);
  if (around.padding != nullptr) value = value.masked_fill(around.padding->unsqueeze(-1), 0);
  value = scope.show("msda.value", value.unflatten(-1, {heads, -1}));
  const at::Tensor offsets =
      linear(scope, "sampling_offsets", query).unflatten(-1, {heads, levels, points, 2});
  const at::Tensor logits = linear(scope, "attention_weights", query).unflatten(-1, {heads, levels * points});
  const at::Tensor weights =
      scope.show("msda.attention_weights", at::softmax(logits, -1).unflatten(-1, {levels, points}));
  const at::Tensor locations =
      scope.show("msda.sampling_locations", sampling_locations(offsets, around, points));
  const at::Tensor attended = scope.ms_deform_attn(
      {value, around.spatial_shapes, around.level_start_index, locations, weights, im2col_step(call)});
  return linear(scope, "output_proj", scope.show("msda.output", attended));
}

at::Tensor encoder_layer(const Scope& scope, const at::Tensor& hidden_states, const Surroundings& around) {
  TORCH_CHECK_NOT_IMPLEMENTED(scope.call().block == "mask2former_head" || !scope.is_set("pre_norm"),
                              "the encoder normalises after each part only");
  const at::Tensor attended =
      deformable_attention(scope.child("self_attn"), hidden_states, hidden_states, around);
  const at::Tensor x =
      layer_norm(scope, "self_attn_layer_norm", scope.show("self_attn_residual", hidden_states + attended));
  const at::Tensor wide = relu(scope, "activation", linear(scope, "fc1", x));
  const at::Tensor sum = scope.show("ffn_residual", x + linear(scope, "fc2", wide));
  return scope.show(layer_norm(scope, "final_layer_norm", sum));
}

at::Tensor encoder(const Scope& scope, at::Tensor hidden_states, const Surroundings& around) {
  for (std::int64_t i = 0; i < scope.call().integer("num_encoder_layers"); ++i) {
    hidden_states = encoder_layer(scope.child("layers", i), hidden_states, around);
  }
  return hidden_states;
}

/// [N, C, H, W] -> [N, H*W, C]
at::Tensor tokens(const at::Tensor& map) {
  return map.flatten(2).transpose(1, 2);
}

/// The case's own, with length and batch in the order that the layers want.
Surroundings surroundings(const Call& call) {
  return {call.find_input("position_embeddings"), call.find_input("attention_mask"),
          call.input("reference_points"),         call.input("spatial_shapes"),
          call.input("level_start_index"),        false};
}

/// Maps of the case's tokens, as the encoder left them.
std::vector<at::Tensor> maps_of(const Scope& scope, const at::Tensor& encoded,
                                const std::vector<at::Tensor>& like) {
  std::vector<at::Tensor> maps;
  Size start = 0;
  for (std::size_t l = 0; l < like.size(); ++l) {
    const Size height = Size::of(like[l], 2), width = Size::of(like[l], 3), pixels = height * width;
    const at::Tensor map = unflatten(narrow(encoded, 1, start, pixels).transpose(1, 2), 2, {height, width});
    maps.push_back(scope.show("multi_scale_features." + std::to_string(l), map));
    start = start + pixels;
  }
  return maps;
}

at::Tensor projected(const Scope& scope, const at::Tensor& map, std::int64_t padding) {
  return group_norm(scope, "1", convolution(scope, "0", map, padding));
}

/// The finest encoded map, added to a map that the encoder did not see.
at::Tensor pyramid_step(const Scope& scope, const at::Tensor& feature, const at::Tensor& finest) {
  const at::Tensor lateral = projected(scope.child("adapter_1"), feature, 0);
  const at::Tensor resized =
      scope.show("fpn_interpolate", resize_map(finest, Size::of(feature, 2), Size::of(feature, 3)));
  const Scope output = scope.child("layer_1");
  return relu(output, "2", projected(output, scope.show("fpn_sum", lateral + resized), 1));
}

}  // namespace

PixelFeatures pixel_decoder(const Scope& scope, const std::vector<at::Tensor>& features) {
  const std::int64_t levels = scope.call().integer("num_levels");
  TORCH_CHECK_NOT_IMPLEMENTED(static_cast<std::int64_t>(features.size()) == levels + 1,
                              "the pixel decoder takes one map more than it has levels");
  const at::Tensor& level_embed = scope.parameter("level_embed");
  std::vector<at::Tensor> maps, embeds, positions;
  for (std::int64_t l = 0; l < levels; ++l) {
    maps.push_back(
        projected(scope.child("input_projections", l), features[static_cast<std::size_t>(levels - l)], 0));
    embeds.push_back(tokens(maps.back()));
    const at::Tensor position = sine_position_embedding_of(scope.child("position_embedding").time(l),
                                                           maps.back(), level_embed.size(1) / 2);
    positions.push_back(
        scope.show("level_pos_embed." + std::to_string(l), tokens(position) + level_embed.select(0, l)));
  }
  const Scope encoder_scope = scope.child("encoder");
  const at::Tensor embedded = encoder_scope.show("inputs_embeds", at::cat(embeds, 1));
  const at::Tensor position = encoder_scope.show("position_embeddings", at::cat(positions, 1));
  const at::Tensor shapes = spatial_shapes_of(maps);
  const at::Tensor everything = ones({Size::of(embedded, 0), levels, 2}, embedded.options());
  const c10::Device device = embedded.device();
  const at::Tensor encoded = encoder(encoder_scope, embedded,
                                     {&position, nullptr, reference_points(encoder_scope, shapes, everything),
                                      shapes.to(device), level_starts(shapes).to(device)});
  PixelFeatures result;
  result.multi_scale = maps_of(scope, encoded, maps);
  result.mask_features =
      convolution(scope, "mask_projection", pyramid_step(scope, features.front(), result.multi_scale.back()));
  return result;
}

std::vector<at::Tensor> backbone_features(const Call& call) {
  std::vector<at::Tensor> features;
  while (const at::Tensor* feature = call.find_input("features." + std::to_string(features.size()))) {
    features.push_back(*feature);
  }
  TORCH_CHECK_VALUE(!features.empty(), call.block, ": input 'features.0' is missing");
  return features;
}

std::vector<at::Tensor> run_attention_layer(const Scope& scope) {
  const Call& call = scope.call();
  const bool length_first = call.attributes.contains("batch_first") && !scope.is_set("batch_first");
  const auto turned = [length_first](const at::Tensor& x) { return length_first ? x.transpose(0, 1) : x; };
  const at::Tensor hidden_states = turned(call.input("hidden_states"));
  const at::Tensor* memory = call.find_input("encoder_hidden_states");
  Surroundings around = surroundings(call);
  around.length_first = length_first;
  at::Tensor position;
  if (around.position_embeddings != nullptr) {
    position = turned(*around.position_embeddings);
    around.position_embeddings = &position;
  }
  at::Tensor output =
      deformable_attention(scope, hidden_states, memory != nullptr ? turned(*memory) : hidden_states, around);
  if (scope.is_set("residual_inside")) output = output + hidden_states;
  return {turned(output)};
}

std::vector<at::Tensor> run_encoder_layer(const Scope& scope) {
  return {encoder_layer(scope, scope.call().input("hidden_states"), surroundings(scope.call()))};
}

std::vector<at::Tensor> run_pixel_decoder_encoder(const Scope& scope) {
  const Call& call = scope.call();
  const at::Tensor& shapes = call.input("spatial_shapes");
  return {encoder(scope, call.input("inputs_embeds"),
                  {call.find_input("position_embeddings"), call.find_input("attention_mask"),
                   reference_points(scope, shapes.cpu(), call.input("valid_ratios")), shapes,
                   call.input("level_start_index"), false})};
}

std::vector<at::Tensor> run_pixel_decoder(const Scope& scope) {
  const PixelFeatures features = pixel_decoder(scope, backbone_features(scope.call()));
  std::vector<at::Tensor> outputs{features.mask_features};
  outputs.insert(outputs.end(), features.multi_scale.begin(), features.multi_scale.end());
  return outputs;
}

}  // namespace deformdiff::worker::mask2former
