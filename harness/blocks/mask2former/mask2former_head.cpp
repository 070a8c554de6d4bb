#include "blocks/mask2former/mask2former_head.h"

#include "blocks/mask2former/pixel_decoder.h"
#include "blocks/mask2former/transformer_decoder.h"

namespace deformdiff::mask2former_head {
namespace {

constexpr const char* kPixelDecoder = "model.pixel_level_module.decoder.";

Attributes merged_attributes() {
  Attributes attributes = pixel_decoder::default_attributes();
  attributes.merge(transformer_decoder::default_attributes());
  return attributes;
}

class Mask2formerHead : public BlockDefinition {
 public:
  Mask2formerHead()
      : BlockDefinition(
            {.name = "mask2former_head",
             .purpose = "pixel_decoder and transformer_decoder: backbone features to classes and masks",
             .outputs = {"class_queries_logits", "masks_queries_logits"},
             .part = ModelPart::kHead,
             .attributes = merged_attributes(),
             .extents = pixel_decoder::block().extent_attributes()}) {}

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    const auto levels = static_cast<std::int64_t>(attributes.at("num_levels"));
    TensorList list;
    pixel_decoder::declare_inputs(list, levels);
    pixel_decoder::declare_parameters(list, kPixelDecoder, levels,
                                      static_cast<std::int64_t>(attributes.at("num_encoder_layers")));
    transformer_decoder::declare_parameters(list, {"M*Dd", "Fd", "M*D"}, levels,
                                            static_cast<std::int64_t>(attributes.at("num_decoder_layers")));
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    const std::int64_t queries = extents.at("Q");
    std::string why = pixel_decoder::complete(c, extents);
    extents["Q"] = queries;  // the decoder's, not the pixels that the encoder attends from
    if (why.empty()) {
      why = transformer_decoder::why_not(c, extents.at("M") * extents.at("Dd"),
                                         extents.at("M") * extents.at("D"));
    }
    if (!why.empty()) refuse("features", why);
  }

  void build(StageBuilder& b) const override {
    const pixel_decoder::Result pixels = pixel_decoder::append(b, {kPixelDecoder, ""});
    const transformer_decoder::Result result =
        transformer_decoder::append(b, pixels.multi_scale_features, pixels.mask_features);
    b.output("class_queries_logits", result.class_logits);
    b.output("masks_queries_logits", result.mask_logits);
  }
};

}  // namespace

const BlockDefinition& block() {
  static const Mask2formerHead instance;
  return instance;
}

}  // namespace deformdiff::mask2former_head
