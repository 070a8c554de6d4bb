#include "blocks/mask2former/transformer_decoder.h"

#include "blocks/mask2former/decoder_layer.h"
#include "blocks/mask2former/mask_predictor.h"
#include "blocks/mask2former/position_embedding.h"

#include <fmt/format.h>

namespace deformdiff::transformer_decoder {
namespace {

constexpr const char* kModule = "model.transformer_module.";
constexpr const char* kDecoder = "model.transformer_module.decoder.";

const mask_predictor::Modules& modules() {
  static const mask_predictor::Modules names{std::string(kDecoder) + "layernorm", "class_predictor",
                                             std::string(kDecoder) + "mask_predictor"};
  return names;
}

std::string input_projection(std::int64_t level) {
  return numbered(std::string(kModule) + "input_projections.", level);
}

class TransformerDecoder : public BlockDefinition {
 public:
  TransformerDecoder()
      : BlockDefinition({.name = "transformer_decoder",
                         .purpose = "decoder layers with a prediction after each",
                         .outputs = {"class_queries_logits", "masks_queries_logits"},
                         .part = ModelPart::kDecoder,
                         .attributes = transformer_decoder::default_attributes(),
                         .extents = {{"M", "num_heads"}, {"L", "num_levels"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    const auto levels = static_cast<std::int64_t>(attributes.at("num_levels"));
    TensorList list;
    for (std::int64_t l = 0; l < levels; ++l) {
      list.floating(numbered("multi_scale_features.", l), fmt::format("B C H{0} W{0}", l));
    }
    list.floating("mask_features", "B E H W");
    declare_parameters(list, {"M*D", "F", "C"}, levels,
                       static_cast<std::int64_t>(attributes.at("num_decoder_layers")));
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    const std::string why = why_not(c, extents.at("M") * extents.at("D"), extents.at("C"));
    if (!why.empty()) refuse("features", why);
  }

  void build(StageBuilder& b) const override {
    std::vector<Value> features;
    for (std::int64_t l = 0; l < b.problem().attribute("num_levels"); ++l) {
      features.push_back(b.input(numbered("multi_scale_features.", l)));
    }
    const Result result = append(b, features, b.input("mask_features"));
    b.output("class_queries_logits", result.class_logits);
    b.output("masks_queries_logits", result.mask_logits);
  }
};

/// What layers attend to at one level, as they take it.
struct Level {
  Value encoder_hidden_states;  ///< [H*W, B, C]
  Value position_embeddings;    ///< [H*W, B, C]
  std::int64_t height, width;
};

std::vector<Level> append_levels(StageBuilder& b, const std::vector<Value>& maps, std::int64_t channels) {
  const Scope scope{kModule, ""};
  const auto count = static_cast<std::int64_t>(maps.size());
  std::vector<std::int64_t> sides;
  for (const Value& map : maps) sides.insert(sides.end(), {map.shape[2], map.shape[3]});
  const Value spatial_shapes =
      b.store(reshaped(b.constant(scope.stage("spatial_shapes"), sides, DType::kInt64), {count, 2}));
  const Value level_embed = b.parameter(scope.module("level_embed.weight"));
  std::vector<Level> levels;
  for (std::int64_t l = 0; l < count; ++l) {
    Value map = maps[static_cast<std::size_t>(l)];
    const std::int64_t batch = map.shape[0], height = map.shape[2], width = map.shape[3];
    const std::string call = numbered("#", l);
    const position_embedding::Map place{"spatial_shape", reshaped(narrowed(spatial_shapes, 0, l, 1), {2}),
                                        batch, height, width};
    const Value position =
        position_embedding::append(b, {scope.module("position_embedder."), call},
                                   scope.module("position_embedder") + call, place, channels / 2);
    if (b.find_input("param." + input_projection(l) + ".weight")) {
      map = b.conv2d(input_projection(l), map, input_projection(l), 0);
    }
    const Scope decoder{kDecoder, ""};
    const Value with_level =
        b.add(decoder.stage(numbered("encoder_hidden_states.", l)), swapped(as_sequence(map)),
              reshaped(narrowed(level_embed, 0, l, 1), {1, 1, channels}));
    const Value placed = b.copy(decoder.stage(numbered("multi_stage_positional_embeddings.", l)),
                                swapped(as_sequence(position)));
    levels.push_back({with_level, placed, height, width});
  }
  return levels;
}

}  // namespace

void declare_parameters(TensorList& list, const Widths& widths, std::int64_t levels, std::int64_t layers) {
  const std::string module = kModule, decoder = kDecoder;
  list.parameter(module + "queries_embedder.weight", "Q " + widths.channels);
  list.parameter(module + "queries_features.weight", "Q " + widths.channels);
  list.parameter(module + "level_embed.weight", "L " + widths.channels);
  for (std::int64_t l = 0; l < levels; ++l) {
    list.conv(input_projection(l), widths.channels, widths.features, 1, true);
    list.bias(input_projection(l), widths.channels, true);
  }
  for (std::int64_t i = 0; i < layers; ++i) {
    decoder_layer::declare_parameters(list, decoder + numbered("layers.", i) + ".", widths.channels,
                                      widths.hidden);
  }
  mask_predictor::declare_parameters(list, modules(), widths.channels);
}

Attributes default_attributes() {
  Attributes attributes = position_embedding::default_attributes();
  attributes.insert({{"num_levels", 3},
                     {"num_decoder_layers", 9},
                     {"num_heads", 8},
                     {"eps", 1e-5},
                     {"pre_norm", 0},
                     {"gelu", 0},
                     {"mask_threshold", 0.5}});
  return attributes;
}

std::string why_not(const Case& c, std::int64_t channels, std::int64_t features) {
  if (channels % 4 != 0) {
    return fmt::format("{} channels of the queries do not divide by 4: sine and cosine of two coordinates",
                       channels);
  }
  int given = 0, wanted = 0;
  for (std::int64_t l = 0; l < c.attribute("num_levels"); ++l) {
    for (const char* part : {".weight", ".bias"}) {
      ++wanted;
      if (c.find_input("param." + input_projection(l) + part) != nullptr) ++given;
    }
  }
  if (given != 0 && given != wanted) return "some of the input projections' parameters are missing";
  if (given == 0 && channels != features) {
    return fmt::format("maps have {} channels, queries {}, and there are no input projections between them",
                       features, channels);
  }
  return "";
}

Result append(StageBuilder& b, const std::vector<Value>& multi_scale_features, const Value& mask_features) {
  const Value embedder = b.parameter(std::string(kModule) + "queries_embedder.weight");
  const Value initial = b.parameter(std::string(kModule) + "queries_features.weight");
  const std::int64_t batch = mask_features.shape[0], queries = initial.shape[0], channels = initial.shape[1];
  const auto of_every_image = [&](const Value& x) {
    return expanded(reshaped(x, {queries, 1, channels}), {queries, batch, channels});
  };
  const Value positions = of_every_image(embedder);
  const std::vector<Level> levels = append_levels(b, multi_scale_features, channels);

  // Prediction k is made from what layer k is given, for the level that it attends to.
  const auto predict = [&](std::int64_t k, const Value& hidden_states) {
    const Level& level = levels[static_cast<std::size_t>(k) % levels.size()];
    return mask_predictor::append(b, modules(), numbered("#", k),
                                  {hidden_states, mask_features, level.height, level.width});
  };
  Value hidden_states = of_every_image(initial);
  mask_predictor::Result prediction = predict(0, hidden_states);
  for (std::int64_t i = 0; i < b.problem().attribute("num_decoder_layers"); ++i) {
    const Scope decoder{kDecoder, ""};
    const Level& level = levels[static_cast<std::size_t>(i) % levels.size()];
    const Value mask =
        b.append(decoder.module(numbered("attention_mask#", i)), "unblock_rows",
                 {{"mask", prediction.attention_mask}}, {}, prediction.attention_mask.shape, DType::kBool);
    const std::string layer = numbered("layers.", i);
    const decoder_layer::Result result = decoder_layer::append(
        b, decoder.in(layer),
        {hidden_states, positions, level.encoder_hidden_states, level.position_embeddings, mask});
    hidden_states = b.copy(decoder.stage(layer), result.hidden_states);
    prediction = predict(i + 1, hidden_states);
  }
  return {prediction.class_logits, prediction.mask_logits};
}

const BlockDefinition& block() {
  static const TransformerDecoder instance;
  return instance;
}

}  // namespace deformdiff::transformer_decoder
