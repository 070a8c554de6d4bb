#include "blocks/mask2former/pixel_decoder_encoder.h"

#include "blocks/mask2former/reference_points.h"

namespace deformdiff::pixel_decoder_encoder {
namespace {

std::string layer_name(std::int64_t i) {
  return numbered("layers.", i);
}

class PixelDecoderEncoder : public BlockDefinition {
 public:
  PixelDecoderEncoder()
      : BlockDefinition({.name = "pixel_decoder_encoder",
                         .purpose = "the pixel decoder's encoder layers, on flattened levels",
                         .outputs = {"last_hidden_state"},
                         .part = ModelPart::kEncoder,
                         .attributes = {{"num_encoder_layers", 6},
                                        {"num_heads", 8},
                                        {"num_levels", 3},
                                        {"num_points", 4},
                                        {"eps", 1e-5},
                                        {"im2col_step", 64}},
                         .extents = {{"M", "num_heads"}, {"L", "num_levels"}, {"P", "num_points"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    TensorList list;
    list.floating("inputs_embeds", "B S M*D");
    list.floating("position_embeddings", "B S M*D");
    list.fractions("valid_ratios", "B L 2");
    list.sizes("spatial_shapes", "L 2");
    list.level_starts("level_start_index");
    list.optional("attention_mask", TensorSpec::Kind::kBool, "B S");
    declare_parameters(list, "", static_cast<std::int64_t>(attributes.at("num_encoder_layers")));
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    check_levels(c, extents.at("S"));
    extents["Q"] = extents.at("S");
  }

  void build(StageBuilder& b) const override {
    const Value last =
        append(b, {},
               {b.input("inputs_embeds"), b.input("position_embeddings"), b.input("valid_ratios"),
                b.input("spatial_shapes"), b.input("level_start_index"), b.find_input("attention_mask")},
               level_sizes(b.problem()));
    b.output("last_hidden_state", last);
  }
};

}  // namespace

void declare_parameters(TensorList& list, const std::string& prefix, std::int64_t layers) {
  for (std::int64_t i = 0; i < layers; ++i)
    encoder_layer::declare_parameters(list, prefix + layer_name(i) + ".");
}

Value append(StageBuilder& b, const Scope& scope, const Inputs& inputs,
             const std::vector<LevelSize>& levels) {
  const Value points = reference_points::append(b, scope, levels, inputs.spatial_shapes, inputs.valid_ratios);
  const encoder_layer::Surroundings around{inputs.position_embeddings, points, inputs.spatial_shapes,
                                           inputs.level_start_index, inputs.attention_mask};
  Value hidden_states = inputs.inputs_embeds;
  for (std::int64_t i = 0; i < b.problem().attribute("num_encoder_layers"); ++i) {
    const Value last = encoder_layer::append(b, scope.in(layer_name(i)), hidden_states, around);
    hidden_states = b.copy(scope.stage(layer_name(i)), last);
  }
  return hidden_states;
}

const BlockDefinition& block() {
  static const PixelDecoderEncoder instance;
  return instance;
}

}  // namespace deformdiff::pixel_decoder_encoder
