#include "subjects/mask2former/transformer_decoder.h"

#include "subjects/mask2former/pixel_decoder.h"
#include "subjects/mask2former/positions.h"
#include "subjects/tracing/recorded_size.h"

#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>

namespace deformdiff::worker::mask2former {
namespace {

/// [length, N, C] -> [N*M, length, C/M]
at::Tensor heads_of(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(-1, {heads, -1}).permute({1, 2, 0, 3}).flatten(0, 1);
}

/// [N*M, length, C/M] -> [N, length, C]
at::Tensor joined(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(0, {-1, heads}).transpose(1, 2).flatten(2);
}

double query_scale(std::int64_t channels, std::int64_t heads) {
  return 1 / std::sqrt(static_cast<double>(channels / heads));
}

struct Attended {
  at::Tensor output;   ///< [Q, N, C]
  at::Tensor weights;  ///< [N, M, Q, K]
};

/// Scores, softmax and the weighted sum of values, by head: [N*M, Q, C/M].
at::Tensor attend(const Scope& scope, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  const at::Tensor* blocked, std::int64_t heads, at::Tensor& weights) {
  at::Tensor scores = at::bmm(query, key.transpose(1, 2));
  if (blocked != nullptr) {
    scores = scores.masked_fill(*blocked, -std::numeric_limits<double>::infinity());
  }
  const at::Tensor probabilities = scope.show("probabilities", at::softmax(scope.show("scores", scores), -1));
  weights = probabilities.unflatten(0, {-1, heads});
  return scope.show("context", at::bmm(probabilities, value));
}

/// Masked attention to a map, as torch.nn.MultiheadAttention has it: one packed input projection.
Attended cross_attention(const Scope& scope, const at::Tensor& query, const at::Tensor& key,
                         const at::Tensor& value, const at::Tensor* blocked, std::int64_t heads) {
  const std::vector<at::Tensor> weight = scope.parameter("in_proj_weight").chunk(3);
  const std::vector<at::Tensor> bias = scope.parameter("in_proj_bias").chunk(3);
  const at::Tensor q = scope.show("q", at::linear(query, weight[0], bias[0]));
  const at::Tensor k = scope.show("k", at::linear(key, weight[1], bias[1]));
  const at::Tensor v = scope.show("v", at::linear(value, weight[2], bias[2]));
  const at::Tensor scaled = scope.show("q_scaled", heads_of(q, heads) * query_scale(q.size(-1), heads));
  Attended result;
  const at::Tensor context =
      attend(scope, scaled, heads_of(k, heads), heads_of(v, heads), blocked, heads, result.weights);
  const Scope projection = scope.child("out_proj");
  result.output = scope.show(at::linear(joined(context, heads).transpose(0, 1),
                                        projection.parameter("weight"), projection.parameter("bias")));
  return result;
}

/// Attention among the queries: separate projections, batch first inside.
Attended self_attention(const Scope& scope, const at::Tensor& hidden_states, const at::Tensor& position,
                        std::int64_t heads) {
  const at::Tensor value = hidden_states.transpose(0, 1);
  const at::Tensor query = scope.show("query", value + position.transpose(0, 1));
  const at::Tensor q = linear(scope, "q_proj", query);
  const at::Tensor k = linear(scope, "k_proj", query);
  const at::Tensor v = linear(scope, "v_proj", value);
  const at::Tensor scaled = scope.show("q_scaled", q * query_scale(q.size(-1), heads));
  const auto by_head = [heads](const at::Tensor& x) { return heads_of(x.transpose(0, 1), heads); };
  Attended result;
  const at::Tensor context =
      attend(scope, by_head(scaled), by_head(k), by_head(v), nullptr, heads, result.weights);
  result.output = scope.show(linear(scope, "out_proj", joined(context, heads)).transpose(0, 1));
  return result;
}

/// Everything length first. `residual_of` is added to what a part makes of its own, perhaps normalised,
/// input.
class DecoderLayer {
 public:
  explicit DecoderLayer(const Scope& scope)
      : scope_(scope), pre_norm_(scope.is_set("pre_norm")), heads_(scope.call().integer("num_heads")) {}

  at::Tensor cross(const at::Tensor& x, const at::Tensor& query_position, const at::Tensor& memory,
                   const at::Tensor& position, const at::Tensor* blocked) {
    return part("cross_attn_layer_norm", "cross_attn_residual", x, [&](const at::Tensor& input) {
      const Scope scope = scope_.child("cross_attn");
      const at::Tensor query = scope.show("query", input + query_position);
      const at::Tensor key = scope.show("key", memory + position);
      const Attended attended = cross_attention(scope, query, key, memory, blocked, heads_);
      cross_weights_ = attended.weights.mean(1);
      return attended.output;
    });
  }

  at::Tensor self(const at::Tensor& x, const at::Tensor& query_position) {
    return part("self_attn_layer_norm", "self_attn_residual", x, [&](const at::Tensor& input) {
      const Attended attended = self_attention(scope_.child("self_attn"), input, query_position, heads_);
      self_weights_ = attended.weights;
      return attended.output;
    });
  }

  at::Tensor feed_forward(const at::Tensor& x) {
    const at::Tensor output = part("final_layer_norm", "ffn_residual", x, [&](const at::Tensor& input) {
      const at::Tensor hidden = linear(scope_, "fc1", input);
      const auto activation = scope_.is_set("gelu") ? gelu : relu;
      return linear(scope_, "fc2", activation(scope_, "activation_fn", hidden));
    });
    return scope_.show(output);
  }

  const at::Tensor& cross_weights() const { return cross_weights_; }
  const at::Tensor& self_weights() const { return self_weights_; }

 private:
  template <typename Part>
  at::Tensor part(const char* norm, const char* residual, const at::Tensor& x, Part compute) {
    if (pre_norm_) return scope_.show(residual, x + compute(layer_norm(scope_, norm, x)));
    return layer_norm(scope_, norm, scope_.show(residual, x + compute(x)));
  }

  Scope scope_;
  bool pre_norm_;
  std::int64_t heads_;
  at::Tensor cross_weights_, self_weights_;
};

struct Masks {
  at::Tensor logits;   ///< [N, Q, H, W]
  at::Tensor blocked;  ///< bool [N*M, Q, height*width]
};

/// Masks of normalised queries [Q, N, C], and where the next layer's attention is blocked by them.
Masks predict_masks(const Scope& scope, const at::Tensor& normalized, const at::Tensor& pixels,
                    const Size& height, const Size& width) {
  const Call& call = scope.call();
  at::Tensor x = normalized.transpose(0, 1);
  for (std::int64_t i = 0; i < 3; ++i) {
    const Scope layer = scope.child("mask_embedder", i);
    x = linear(layer, "0", x);
    if (i < 2) x = relu(layer, "1", x);
  }
  Masks masks;
  masks.logits = scope.show("mask_logits", at::einsum("bqc,bchw->bqhw", {x, pixels}));
  const at::Tensor resized = scope.show("resized_mask_logits", resize_map(masks.logits, height, width));
  const at::Tensor probabilities = scope.show("mask_probabilities", at::sigmoid(resized));
  const at::Tensor outside = probabilities.flatten(2) < call.number("mask_threshold");
  masks.blocked =
      scope.show("attention_mask_raw",
                 outside.unsqueeze(1).expand({-1, call.integer("num_heads"), -1, -1}).flatten(0, 1));
  return masks;
}

/// A query that may attend to nothing attends to everything.
at::Tensor without_blocked_rows(const at::Tensor& blocked) {
  return blocked.logical_and(blocked.all(-1, /*keepdim=*/true).logical_not());
}

/// One level as the decoder takes it, length first.
struct Memory {
  at::Tensor features, position;
  Size height, width;
};

std::vector<Memory> memories(const Scope& scope, const std::vector<at::Tensor>& maps) {
  const at::Tensor& level_embed = scope.parameter("level_embed.weight");
  const Scope decoder = scope.child("decoder");
  std::vector<Memory> levels;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const auto l = static_cast<std::int64_t>(i);
    const std::string number = std::to_string(l);
    at::Tensor map = maps[i];
    if (scope.find_parameter("input_projections." + number + ".weight") != nullptr) {
      map = convolution(scope.child("input_projections"), number, map);
    }
    const at::Tensor position =
        sine_position_embedding_of(scope.child("position_embedder").time(l), map, level_embed.size(1) / 2);
    const auto length_first = [](const at::Tensor& x) { return x.flatten(2).permute({2, 0, 1}); };
    levels.push_back(
        {decoder.show("encoder_hidden_states." + number, length_first(map) + level_embed.select(0, l)),
         decoder.show("multi_stage_positional_embeddings." + number, length_first(position)),
         Size::of(map, 2), Size::of(map, 3)});
  }
  return levels;
}

/// Class logits and mask logits of the last prediction. `scope` is the root: the class predictor is its
/// child.
std::vector<at::Tensor> transformer_decoder(const Scope& scope, const std::vector<at::Tensor>& maps,
                                            const at::Tensor& mask_features) {
  const Scope module = scope.child("model.transformer_module"), decoder = module.child("decoder");
  const std::vector<Memory> levels = memories(module, maps);
  const Size batch = Size::of(mask_features, 0);
  const auto for_batch = [&](const at::Tensor& queries) {
    return expand(queries.unsqueeze(1), {-1, batch, -1});
  };
  const at::Tensor query_position = for_batch(module.parameter("queries_embedder.weight"));
  at::Tensor x = for_batch(module.parameter("queries_features.weight"));
  at::Tensor classes;
  const auto predict = [&](std::int64_t k) {
    const at::Tensor normalized = layer_norm(decoder.time(k), "layernorm", x);
    classes = linear(scope.time(k), "class_predictor", normalized.transpose(0, 1));
    const Memory& next = levels[static_cast<std::size_t>(k) % levels.size()];
    return predict_masks(decoder.child("mask_predictor").time(k), normalized, mask_features, next.height,
                         next.width);
  };
  Masks masks = predict(0);
  for (std::int64_t i = 0; i < scope.call().integer("num_decoder_layers"); ++i) {
    const Memory& level = levels[static_cast<std::size_t>(i) % levels.size()];
    const at::Tensor blocked = decoder.time(i).show("attention_mask", without_blocked_rows(masks.blocked));
    DecoderLayer layer(decoder.child("layers", i));
    x = layer.cross(x, query_position, level.features, level.position, &blocked);
    x = layer.feed_forward(layer.self(x, query_position));
    masks = predict(i + 1);
  }
  return {classes, masks.logits};
}

}  // namespace

std::vector<at::Tensor> run_decoder_layer(const Scope& scope) {
  const Call& call = scope.call();
  TORCH_CHECK_NOT_IMPLEMENTED(!scope.is_set("batch_first"), "the decoder layer is length first");
  DecoderLayer layer(scope);
  const at::Tensor& query_position = call.input("query_position_embeddings");
  at::Tensor x = layer.cross(call.input("hidden_states"), query_position, call.input("encoder_hidden_states"),
                             call.input("position_embeddings"), call.find_input("attention_mask"));
  x = layer.feed_forward(layer.self(x, query_position));
  return {x, layer.self_weights(), layer.cross_weights()};
}

std::vector<at::Tensor> run_mask_predictor(const Scope& scope) {
  const Call& call = scope.call();
  const at::Tensor normalized = layer_norm(scope, "layernorm", call.input("hidden_states"));
  const at::Tensor classes = linear(scope, "class_predictor", normalized.transpose(0, 1));
  const at::Tensor target = call.input("target_size").cpu();
  const Masks masks = predict_masks(scope.child("mask_predictor"), normalized, call.input("pixel_embeddings"),
                                    Size::element(target, 0), Size::element(target, 1));
  return {normalized, classes, masks.logits, masks.blocked};
}

std::vector<at::Tensor> run_transformer_decoder(const Scope& scope) {
  const Call& call = scope.call();
  std::vector<at::Tensor> maps;
  for (std::int64_t i = 0; i < call.integer("num_levels"); ++i) {
    maps.push_back(call.input("multi_scale_features." + std::to_string(i)));
  }
  return transformer_decoder(scope, maps, call.input("mask_features"));
}

std::vector<at::Tensor> run_mask2former_head(const Scope& scope) {
  const PixelFeatures features =
      pixel_decoder(scope.child("model.pixel_level_module.decoder"), backbone_features(scope.call()));
  return transformer_decoder(scope, features.multi_scale, features.mask_features);
}

}  // namespace deformdiff::worker::mask2former
