#include "blocks/mask2former/pixel_decoder.h"

#include "blocks/mask2former/pixel_decoder_encoder.h"
#include "blocks/mask2former/position_embedding.h"

#include <fmt/format.h>

namespace deformdiff::pixel_decoder {
namespace {

std::int64_t feature_of_level(std::int64_t levels, std::int64_t level) {
  return levels - level;
}

std::vector<std::string> outputs_for(const Attributes& attributes) {
  std::vector<std::string> names{"mask_features"};
  for (std::int64_t l = 0; l < static_cast<std::int64_t>(attributes.at("num_levels")); ++l) {
    names.push_back(numbered("multi_scale_features.", l));
  }
  return names;
}

class PixelDecoder : public BlockDefinition {
 public:
  PixelDecoder()
      : BlockDefinition({.name = "pixel_decoder",
                         .purpose = "backbone features to mask features and three maps",
                         .outputs = outputs_for(pixel_decoder::default_attributes()),
                         .part = ModelPart::kEncoder,
                         .attributes = pixel_decoder::default_attributes(),
                         .extents = {{"M", "num_heads"},
                                     {"L", "num_levels"},
                                     {"P", "num_points"},
                                     {"G", "group_norm_groups"}}}) {}

  std::vector<std::string> output_names_of(const Attributes& attributes) const override {
    return outputs_for(attributes);
  }

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    const auto levels = static_cast<std::int64_t>(attributes.at("num_levels"));
    TensorList list;
    declare_inputs(list, levels);
    declare_parameters(list, "", levels, static_cast<std::int64_t>(attributes.at("num_encoder_layers")));
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    const std::string why = pixel_decoder::complete(c, extents);
    if (!why.empty()) refuse("features", why);
  }

  void build(StageBuilder& b) const override {
    const Result result = append(b, {});
    b.output("mask_features", result.mask_features);
    for (std::size_t l = 0; l < result.multi_scale_features.size(); ++l) {
      b.output(numbered("multi_scale_features.", static_cast<std::int64_t>(l)),
               result.multi_scale_features[l]);
    }
  }
};

/// Convolution and norm: PREFIX.0 and PREFIX.1.
Value projected(StageBuilder& b, const Scope& scope, const Value& x, std::int64_t padding) {
  const Value convolved = b.conv2d(scope.stage("0"), x, scope.module("0"), padding);
  return b.group_norm(scope.stage("1"), convolved, scope.module("1"));
}

}  // namespace

void declare_inputs(TensorList& list, std::int64_t levels) {
  list.floating("features.0", "B I0 H W");
  for (std::int64_t i = 1; i <= levels; ++i) {
    list.floating(numbered("features.", i), fmt::format("B I{0} H{1} W{1}", i, levels - i));
  }
}

void declare_parameters(TensorList& list, const std::string& prefix, std::int64_t levels,
                        std::int64_t layers) {
  for (std::int64_t l = 0; l < levels; ++l) {
    const std::string module = prefix + numbered("input_projections.", l);
    list.conv(module + ".0", "M*D", numbered("I", feature_of_level(levels, l)), 1);
    list.bias(module + ".0", "M*D");
    list.norm(module + ".1", "M*D");
  }
  list.parameter(prefix + "level_embed", "L M*D");
  pixel_decoder_encoder::declare_parameters(list, prefix + "encoder.", layers);
  list.conv(prefix + "adapter_1.0", "M*D", "I0", 1);
  list.norm(prefix + "adapter_1.1", "M*D");
  list.conv(prefix + "layer_1.0", "M*D", "M*D", 3);
  list.norm(prefix + "layer_1.1", "M*D");
  list.conv(prefix + "mask_projection", "E", "M*D", 1);
  list.bias(prefix + "mask_projection", "E");
}

Attributes default_attributes() {
  Attributes attributes = position_embedding::default_attributes();
  attributes.insert({{"num_levels", 3},
                     {"num_encoder_layers", 6},
                     {"num_heads", 8},
                     {"num_points", 4},
                     {"eps", 1e-5},
                     {"group_norm_groups", 32},
                     {"im2col_step", 64}});
  return attributes;
}

std::string complete(const Case& c, Extents& extents) {
  const std::int64_t channels = extents.at("M") * extents.at("D"), groups = c.attribute("group_norm_groups");
  if (channels % groups != 0)
    return fmt::format("{} channels do not divide into group_norm_groups = {}", channels, groups);
  if (channels % 4 != 0)
    return fmt::format("{} channels do not divide by 4: sine and cosine of two coordinates", channels);
  std::int64_t pixels = 0;
  for (std::int64_t l = 0; l < c.attribute("num_levels"); ++l) {
    std::int64_t area = 0;
    if (__builtin_mul_overflow(extents.at(numbered("H", l)), extents.at(numbered("W", l)), &area) ||
        __builtin_add_overflow(pixels, area, &pixels)) {
      return "the maps have more pixels than 64 bits count";
    }
  }
  extents["S"] = extents["Q"] = pixels;
  return "";
}

Result append(StageBuilder& b, const Scope& scope) {
  const std::int64_t levels = b.problem().attribute("num_levels");
  const Value finest = b.input("features.0");
  const std::int64_t batch = finest.shape[0];

  std::vector<LevelSize> sizes;
  std::vector<std::int64_t> sides;
  for (std::int64_t l = 0; l < levels; ++l) {
    const Shape shape = b.input(numbered("features.", feature_of_level(levels, l))).shape;
    sizes.push_back({shape[2], shape[3]});
    sides.insert(sides.end(), {shape[2], shape[3]});
  }
  const Value spatial_shapes =
      b.store(reshaped(b.constant(scope.stage("spatial_shapes"), sides, DType::kInt64), {levels, 2}));
  const Value level_start_index =
      b.constant(scope.stage("level_start_index"), level_starts(sizes), DType::kInt64);
  const Value valid_ratios = b.store(expanded(
      reshaped(b.constant(scope.stage("valid_ratios"), {1}, b.dtype()), {1, 1, 1}), {batch, levels, 2}));

  const Value level_embed = b.parameter(scope.module("level_embed"));
  const std::int64_t channels = level_embed.shape[1];
  std::vector<Value> projections, positions;
  for (std::int64_t l = 0; l < levels; ++l) {
    const Value feature = b.input(numbered("features.", feature_of_level(levels, l)));
    projections.push_back(as_sequence(projected(b, scope.in(numbered("input_projections.", l)), feature, 0)));
    const std::string call = numbered("#", l);
    const position_embedding::Map map{"spatial_shape", reshaped(narrowed(spatial_shapes, 0, l, 1), {2}),
                                      batch, feature.shape[2], feature.shape[3]};
    const Value position =
        position_embedding::append(b, {scope.module("position_embedding."), call},
                                   scope.module("position_embedding") + call, map, channels / 2);
    positions.push_back(b.add(scope.stage(numbered("level_pos_embed.", l)), as_sequence(position),
                              reshaped(narrowed(level_embed, 0, l, 1), {1, 1, channels})));
  }
  const Scope encoder = scope.in("encoder");
  const Value inputs_embeds = b.concat(encoder.stage("inputs_embeds"), projections, 1);
  const Value position_embeddings = b.concat(encoder.stage("position_embeddings"), positions, 1);
  const Value encoded = pixel_decoder_encoder::append(
      b, encoder,
      {inputs_embeds, position_embeddings, valid_ratios, spatial_shapes, level_start_index, std::nullopt},
      sizes);

  Result result;
  const std::vector<std::int64_t> starts = level_starts(sizes);
  for (std::int64_t l = 0; l < levels; ++l) {
    const LevelSize& size = sizes[static_cast<std::size_t>(l)];
    const Value rows = narrowed(encoded, 1, starts[static_cast<std::size_t>(l)], size.pixels());
    result.multi_scale_features.push_back(
        b.copy(scope.stage(numbered("multi_scale_features.", l)), as_map(rows, size.height, size.width)));
  }
  const Value lateral = projected(b, scope.in("adapter_1"), finest, 0);
  const Value enlarged = b.resize(scope.stage("fpn_interpolate"), result.multi_scale_features.back(),
                                  finest.shape[2], finest.shape[3]);
  const Value sum = b.add(scope.stage("fpn_sum"), lateral, enlarged);
  const Value smoothed = projected(b, scope.in("layer_1"), sum, 1);
  const Value active = b.relu(scope.in("layer_1").stage("2"), smoothed);
  result.mask_features = b.conv2d(scope.stage("mask_projection"), active, scope.module("mask_projection"), 0);
  return result;
}

const BlockDefinition& block() {
  static const PixelDecoder instance;
  return instance;
}

}  // namespace deformdiff::pixel_decoder
