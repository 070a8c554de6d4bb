// What tells a position: sine embeddings of maps, and the points at their pixels' centres.
#pragma once

#include "subjects/mask2former/scope.h"

#include <vector>

namespace deformdiff::worker::mask2former {

/// [N, H, W] of 1 where there is a pixel and 0 where there is padding -> [N, 2 * features, H, W]. The dtype
/// is that of `valid`.
at::Tensor sine_position_embedding(const Scope& scope, const at::Tensor& valid, std::int64_t features);

/// The same for all pixels of a map [N, C, H, W].
at::Tensor sine_position_embedding_of(const Scope& scope, const at::Tensor& map, std::int64_t features);

/// int64 [L, 2] on the CPU and [N, L, 2] -> [N, S, L, 2].
at::Tensor reference_points(const Scope& scope, const at::Tensor& spatial_shapes,
                            const at::Tensor& valid_ratios);

/// int64 [L, 2] of maps [N, C, H, W], and where each of them starts among all tokens, int64 [L].
at::Tensor spatial_shapes_of(const std::vector<at::Tensor>& maps);
at::Tensor level_starts(const at::Tensor& spatial_shapes);

// Blocks.
std::vector<at::Tensor> run_position_embedding(const Scope& scope);
std::vector<at::Tensor> run_reference_points(const Scope& scope);

}  // namespace deformdiff::worker::mask2former
