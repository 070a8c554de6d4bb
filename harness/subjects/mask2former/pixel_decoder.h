// The pixel decoder: deformable attention over three maps, then a feature pyramid's last step.
#pragma once

#include "subjects/mask2former/scope.h"

#include <vector>

namespace deformdiff::worker::mask2former {

struct PixelFeatures {
  at::Tensor mask_features;             ///< [N, mask_dims, H/4, W/4]
  std::vector<at::Tensor> multi_scale;  ///< [N, C, H_l, W_l], from low to high resolution
};

/// `features` from high to low resolution; the encoder takes the last `num_levels` of them.
PixelFeatures pixel_decoder(const Scope& scope, const std::vector<at::Tensor>& features);

/// The inputs "features.0", "features.1", ...
std::vector<at::Tensor> backbone_features(const Call& call);

// Blocks.
std::vector<at::Tensor> run_attention_layer(const Scope& scope);
std::vector<at::Tensor> run_encoder_layer(const Scope& scope);
std::vector<at::Tensor> run_pixel_decoder_encoder(const Scope& scope);
std::vector<at::Tensor> run_pixel_decoder(const Scope& scope);

}  // namespace deformdiff::worker::mask2former
