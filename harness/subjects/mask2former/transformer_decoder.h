// The transformer decoder: queries that attend to maps where their own mask lets them, and predict masks.
#pragma once

#include "subjects/mask2former/scope.h"

#include <vector>

namespace deformdiff::worker::mask2former {

// Blocks.
std::vector<at::Tensor> run_decoder_layer(const Scope& scope);
std::vector<at::Tensor> run_mask_predictor(const Scope& scope);
std::vector<at::Tensor> run_transformer_decoder(const Scope& scope);
std::vector<at::Tensor> run_mask2former_head(const Scope& scope);

}  // namespace deformdiff::worker::mask2former
