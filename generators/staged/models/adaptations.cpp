#include "generators/staged/models/adaptations.h"

#include "generators/staged/levels.h"

#include <map>

namespace deformdiff {
namespace {

/// Queries of their own, as a decoder has them, or one a pixel; points or boxes.
void adapt_attention_layer(Sketch& sketch, Draw& draw) {
  sketch.set("R", draw.chance(25) ? 4 : 2, draw);
  if (draw.chance(25)) sketch.set("Q", total_pixels(sketch.levels), draw);
}

/// Sine embeddings take channels by fours, in both decoders. Projections where their widths differ, and now
/// and then where they do not.
void adapt_mask2former_head(Sketch& sketch, Draw& draw) {
  name_maps(sketch, draw);
  fit_width(sketch, "D", 32, draw);
  sketch.extents["G"] = draw_groups(sketch.at("M") * sketch.at("D"), draw);
  const bool projected = draw.chance(30);
  std::int64_t& width = sketch.at("Dd");
  fit_width(sketch, "Dd", 32, draw);
  if (!projected || draw.chance(20)) width = sketch.at("D");
  if (projected) give_input_projections(sketch);
  draw_position_attributes(sketch, draw);
}

/// Pixels of one map, whatever the levels are.
void adapt_mask_predictor(Sketch& sketch, Draw& draw) {
  name_map(sketch, draw);
}

/// Three levels, as many as the block has outputs. Sine embeddings take channels by fours.
void adapt_pixel_decoder(Sketch& sketch, Draw& draw) {
  sketch.at("L") = 3;
  sketch.attributes["num_levels"] = 3;
  if (sketch.levels.size() != 3) sketch.levels = draw_levels(sketch.tier, 3, draw);
  for (const char* channels : {"I0", "I1", "I2", "I3"})
    sketch.extents.try_emplace(channels, draw.between(1, 9));
  name_maps(sketch, draw);
  fit_width(sketch, "D", 48, draw);
  sketch.extents["G"] = draw_groups(sketch.at("M") * sketch.at("D"), draw);
  draw_position_attributes(sketch, draw);
}

/// Sizes are values of an input; the dtype is an attribute, as there is no floating input. Only a mask tells
/// images apart.
void adapt_position_embedding(Sketch& sketch, Draw& draw) {
  if (!sketch.given.contains("mask")) sketch.at("B") = 1;
  name_map(sketch, draw);
  const std::int64_t features = sketch.large                           ? 128
                                : sketch.tier == DeepTier::kDegenerate ? 2
                                                                       : 2 * draw.between(1, 16);
  sketch.set("F", features, draw);
  sketch.attributes["bits"] = 8.0 * static_cast<double>(size_of(sketch.dtype));
  draw_position_attributes(sketch, draw);
}

/// Sine embeddings take channels by fours. Projections where the maps' channels differ, and now and then
/// where they do not.
void adapt_transformer_decoder(Sketch& sketch, Draw& draw) {
  name_maps(sketch, draw);
  fit_width(sketch, "D", 48, draw);
  const bool projected = draw.chance(30);
  if (!projected || draw.chance(20)) sketch.at("C") = sketch.at("M") * sketch.at("D");
  if (projected) give_input_projections(sketch);
  draw_position_attributes(sketch, draw);
}

}  // namespace

Adapt adaptation_of(const std::string& block) {
  static const std::map<std::string, Adapt> adaptations{
      {"attention_layer", adapt_attention_layer},       {"mask2former_head", adapt_mask2former_head},
      {"mask_predictor", adapt_mask_predictor},         {"pixel_decoder", adapt_pixel_decoder},
      {"position_embedding", adapt_position_embedding}, {"transformer_decoder", adapt_transformer_decoder}};
  const auto found = adaptations.find(block);
  return found == adaptations.end() ? [](Sketch&, Draw&) {} : found->second;
}

}  // namespace deformdiff
