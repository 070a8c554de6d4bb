// The oracle of each operation of oracles/operations.h, beside ms_deform_attn's.
#pragma once

#include "core/oracle.h"

namespace deformdiff::operation {

const Oracle& add();
const Oracle& angles();
const Oracle& attention_scores();
const Oracle& concat();
const Oracle& constant();
const Oracle& conv2d();
const Oracle& coordinates();
const Oracle& copy();
const Oracle& group_norm();
const Oracle& layer_norm();
const Oracle& linear();
const Oracle& mask_rows();
const Oracle& matmul();
const Oracle& mean_heads();
const Oracle& pixel_centres();
const Oracle& relu();
const Oracle& gelu();
const Oracle& resize();
const Oracle& sampling_locations();
const Oracle& scale();
const Oracle& scaled_points();
const Oracle& sigmoid();
const Oracle& sine_embedding();
const Oracle& softmax();
const Oracle& temperatures();
const Oracle& threshold();
const Oracle& unblock_rows();

}  // namespace deformdiff::operation
