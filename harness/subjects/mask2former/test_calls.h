// Small calls of each block for tests: everything random, extents pairwise distinct where they can be.
#pragma once

#include "subjects/test_inputs.h"

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

namespace deformdiff::worker {

/// A call that owns what it is made of.
class TestCall {
 public:
  explicit TestCall(std::string block, at::ScalarType dtype = at::kDouble)
      : block_(std::move(block)), dtype_(dtype) {
    attributes_ = {{"num_heads", 2},
                   {"num_points", 3},
                   {"num_levels", 3},
                   {"num_encoder_layers", 2},
                   {"num_decoder_layers", 4},
                   {"eps", 1e-5},
                   {"group_norm_groups", 4},
                   {"mask_threshold", 0.5},
                   {"position_eps", 1e-6},
                   {"position_scale", 6.283185307179586},
                   {"position_normalize", 1},
                   {"position_temperature", 10000},
                   {"position_offset", 0},
                   {"num_position_features", kChannels / 2},
                   {"pre_norm", 0},
                   {"gelu", 0},
                   {"bits", dtype == at::kFloat ? 32.0 : 64.0}};
  }

  TestCall& set(const std::string& attribute, double value) {
    attributes_[attribute] = value;
    return *this;
  }
  TestCall& add(std::string name, at::Tensor tensor) {
    names_.push_back(std::move(name));
    inputs_.push_back(std::move(tensor));
    return *this;
  }
  TestCall& add_random(std::string name, at::IntArrayRef shape, double low = -1, double high = 1) {
    at::Tensor tensor = random_tensor(shape, dtype_, 100 + inputs_.size(), low, high);
    return add(std::move(name), std::move(tensor));
  }
  at::Tensor& input(std::string_view name) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == name) return inputs_[i];
    }
    throw std::out_of_range(std::string(name));
  }

  const std::vector<std::string>& names() const { return names_; }

  Call operator()(Taps* taps = nullptr) const { return {block_, attributes_, names_, inputs_, taps}; }

  static constexpr std::int64_t kChannels = 8;

  // Parameters of a module at `path`, which is empty or ends in a dot.
  TestCall& add_linear(const std::string& path, std::int64_t out, std::int64_t in) {
    return add_random("param." + path + ".weight", {out, in}).add_random("param." + path + ".bias", {out});
  }
  TestCall& add_norm(const std::string& path, std::int64_t channels) {
    return add_random("param." + path + ".weight", {channels}, 0.5, 1.5)
        .add_random("param." + path + ".bias", {channels});
  }
  TestCall& add_attention(const std::string& path, std::int64_t levels) {
    return add_linear(path + "sampling_offsets", 2 * levels * 3 * 2, kChannels)
        .add_linear(path + "attention_weights", 2 * levels * 3, kChannels)
        .add_linear(path + "value_proj", kChannels, kChannels)
        .add_linear(path + "output_proj", kChannels, kChannels);
  }
  TestCall& add_encoder_layer(const std::string& path, std::int64_t levels) {
    return add_attention(path + "self_attn.", levels)
        .add_norm(path + "self_attn_layer_norm", kChannels)
        .add_linear(path + "fc1", 5, kChannels)
        .add_linear(path + "fc2", kChannels, 5)
        .add_norm(path + "final_layer_norm", kChannels);
  }
  TestCall& add_decoder_layer(const std::string& path) {
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      add_linear(path + "self_attn." + name, kChannels, kChannels);
    }
    add_random("param." + path + "cross_attn.in_proj_weight", {3 * kChannels, kChannels});
    add_random("param." + path + "cross_attn.in_proj_bias", {3 * kChannels});
    return add_linear(path + "cross_attn.out_proj", kChannels, kChannels)
        .add_norm(path + "self_attn_layer_norm", kChannels)
        .add_norm(path + "cross_attn_layer_norm", kChannels)
        .add_linear(path + "fc1", 5, kChannels)
        .add_linear(path + "fc2", kChannels, 5)
        .add_norm(path + "final_layer_norm", kChannels);
  }
  TestCall& add_mask_embedder(const std::string& path) {
    return add_linear(path + "mask_embedder.0.0", kChannels, kChannels)
        .add_linear(path + "mask_embedder.1.0", kChannels, kChannels)
        .add_linear(path + "mask_embedder.2.0", 6, kChannels);
  }
  TestCall& add_convolution(const std::string& path, std::int64_t out, std::int64_t in, std::int64_t side,
                            bool biased) {
    add_random("param." + path + ".weight", {out, in, side, side});
    return biased ? add_random("param." + path + ".bias", {out}) : *this;
  }
  TestCall& add_pixel_decoder(const std::string& path) {
    for (std::int64_t l = 0; l < 3; ++l) {
      const std::string projection = path + "input_projections." + std::to_string(l);
      add_convolution(projection + ".0", kChannels, 5 - l, 1, true).add_norm(projection + ".1", kChannels);
    }
    for (std::int64_t i = 0; i < 2; ++i)
      add_encoder_layer(path + "encoder.layers." + std::to_string(i) + ".", 3);
    return add_random("param." + path + "level_embed", {3, kChannels})
        .add_convolution(path + "adapter_1.0", kChannels, 2, 1, false)
        .add_norm(path + "adapter_1.1", kChannels)
        .add_convolution(path + "layer_1.0", kChannels, kChannels, 3, false)
        .add_norm(path + "layer_1.1", kChannels)
        .add_convolution(path + "mask_projection", 6, kChannels, 1, true);
  }
  TestCall& add_transformer_decoder() {
    const std::string module = "model.transformer_module.", decoder = module + "decoder.";
    for (std::int64_t i = 0; i < 4; ++i) add_decoder_layer(decoder + "layers." + std::to_string(i) + ".");
    return add_mask_embedder(decoder + "mask_predictor.")
        .add_norm(decoder + "layernorm", kChannels)
        .add_random("param." + module + "level_embed.weight", {3, kChannels})
        .add_random("param." + module + "queries_embedder.weight", {5, kChannels})
        .add_random("param." + module + "queries_features.weight", {5, kChannels})
        .add_linear("class_predictor", 4, kChannels);
  }
  TestCall& add_features(std::int64_t batch) {
    return add_random("features.0", {batch, 2, 9, 12})
        .add_random("features.1", {batch, 3, 5, 6})
        .add_random("features.2", {batch, 4, 3, 4})
        .add_random("features.3", {batch, 5, 2, 3});
  }
  /// Of 2x3, 3x4 and 5x6 pixels: 48 tokens.
  TestCall& add_levels(bool starts = true) {
    const ms_deform_attn::Inputs inputs = test_inputs({.levels = {{2, 3}, {3, 4}, {5, 6}}});
    add("spatial_shapes", inputs.spatial_shapes);
    return starts ? add("level_start_index", inputs.level_start_index) : *this;
  }

 private:
  std::string block_;
  at::ScalarType dtype_;
  Attributes attributes_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> inputs_;
};

/// A valid call of a block. `masked` gives it the mask that it may have.
inline TestCall test_call(const std::string& block, std::int64_t batch = 2, bool masked = true,
                          at::ScalarType dtype = at::kDouble) {
  constexpr std::int64_t kChannels = TestCall::kChannels, kTokens = 48;
  TestCall call(block, dtype);
  const auto random_mask = [&](at::IntArrayRef shape) {
    return random_tensor(shape, at::kDouble, 9, 0, 1) < 0.3;
  };
  if (block == "attention_layer" || block == "encoder_layer") {
    const std::int64_t queries = block == "attention_layer" ? 7 : kTokens;
    call.add_random("hidden_states", {batch, queries, kChannels})
        .add_random("position_embeddings", {batch, queries, kChannels})
        .add_random("reference_points", {batch, queries, 3, 2}, 0, 1)
        .add_levels();
    if (block == "attention_layer") {
      call.add_random("encoder_hidden_states", {batch, kTokens, kChannels}).add_attention("", 3);
    } else {
      call.add_encoder_layer("", 3);
    }
    if (masked) call.add("attention_mask", random_mask({batch, kTokens}));
  } else if (block == "pixel_decoder_encoder") {
    call.add_random("inputs_embeds", {batch, kTokens, kChannels})
        .add_random("position_embeddings", {batch, kTokens, kChannels})
        .add_random("valid_ratios", {batch, 3, 2}, 0.5, 1)
        .add_levels()
        .add_encoder_layer("layers.0.", 3)
        .add_encoder_layer("layers.1.", 3);
    if (masked) call.add("attention_mask", random_mask({batch, kTokens}));
  } else if (block == "pixel_decoder") {
    call.add_features(batch).add_pixel_decoder("");
  } else if (block == "mask2former_head") {
    call.add_features(batch).add_pixel_decoder("model.pixel_level_module.decoder.").add_transformer_decoder();
  } else if (block == "transformer_decoder") {
    call.add_random("multi_scale_features.0", {batch, kChannels, 2, 3})
        .add_random("multi_scale_features.1", {batch, kChannels, 3, 4})
        .add_random("multi_scale_features.2", {batch, kChannels, 5, 6})
        .add_random("mask_features", {batch, 6, 9, 12})
        .add_transformer_decoder();
  } else if (block == "decoder_layer") {
    call.add_random("hidden_states", {7, batch, kChannels})
        .add_random("query_position_embeddings", {7, batch, kChannels})
        .add_random("encoder_hidden_states", {12, batch, kChannels})
        .add_random("position_embeddings", {12, batch, kChannels})
        .add_decoder_layer("");
    if (masked) call.add("attention_mask", random_mask({batch * 2, 7, 12}));
  } else if (block == "mask_predictor") {
    call.add_random("hidden_states", {7, batch, kChannels})
        .add_random("pixel_embeddings", {batch, 6, 9, 12})
        .add("target_size", test_inputs({.levels = {{4, 5}}}).spatial_shapes.squeeze(0))
        .add_norm("layernorm", kChannels)
        .add_linear("class_predictor", 4, kChannels)
        .add_mask_embedder("mask_predictor.");
  } else if (block == "position_embedding") {
    call.add("spatial_shape", test_inputs({.levels = {{4, 5}}}).spatial_shapes.squeeze(0));
    if (masked) call.add("mask", random_mask({batch, 4, 5}).logical_not());
  } else if (block == "reference_points") {
    call.add_levels(false).add_random("valid_ratios", {batch, 3, 2}, 0.5, 1);
  }
  return call;
}

/// What a model shows, in order.
class ShownStages : public Taps {
 public:
  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    values_.emplace_back(name, value.clone());
    return value;
  }

  const std::vector<std::pair<std::string, at::Tensor>>& values() const { return values_; }

  const at::Tensor& operator[](std::string_view name) const {
    for (const auto& [each, value] : values_) {
      if (each == name) return value;
    }
    throw std::out_of_range(std::string(name));
  }

 private:
  std::vector<std::pair<std::string, at::Tensor>> values_;
};

/// The largest difference over the largest value. Infinity where shapes differ, or what is finite does;
/// elements that are not finite in both count as equal.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  constexpr double kNothingInCommon = std::numeric_limits<double>::infinity();
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return kNothingInCommon;
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble), finite = y.isfinite();
  if (!x.isfinite().eq(finite).all().item<bool>()) return kNothingInCommon;
  if (a.numel() == 0) return 0;
  const at::Tensor outside = finite.logical_not();
  const double error = (x - y).masked_fill(outside, 0).abs().max().item<double>();
  return error == 0 ? 0 : error / y.masked_fill(outside, 0).abs().max().item<double>();
}

inline double relative_difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double worst = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    worst = std::max(worst, relative_difference(a[i], b[i]));
  }
  return worst;
}

}  // namespace deformdiff::worker
