#include "generators/staged/models/adaptations.h"

#include <map>

namespace deformdiff {

Adapt adaptation_of(const std::string& block) {
  static const std::map<std::string, Adapt> adaptations{
      {"attention_layer", adapt_attention_layer},       {"mask2former_head", adapt_mask2former_head},
      {"mask_predictor", adapt_mask_predictor},         {"pixel_decoder", adapt_pixel_decoder},
      {"position_embedding", adapt_position_embedding}, {"transformer_decoder", adapt_transformer_decoder}};
  const auto found = adaptations.find(block);
  return found == adaptations.end() ? [](Sketch&, Draw&) {} : found->second;
}

}  // namespace deformdiff
