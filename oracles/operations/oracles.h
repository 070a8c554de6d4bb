// The oracle in a dtype of each operation in operations.h, beside ms_deform_attn's. Each throws InputError
// for a dtype that is not judged.
#pragma once

#include "core/oracle.h"

namespace deformdiff::operation {

const Oracle& add(DType dtype);
const Oracle& angles(DType dtype);
const Oracle& attention_scores(DType dtype);
const Oracle& concat(DType dtype);
const Oracle& constant(DType dtype);
const Oracle& conv2d(DType dtype);
const Oracle& coordinates(DType dtype);
const Oracle& copy(DType dtype);
const Oracle& group_norm(DType dtype);
const Oracle& layer_norm(DType dtype);
const Oracle& linear(DType dtype);
const Oracle& mask_rows(DType dtype);
const Oracle& matmul(DType dtype);
const Oracle& mean_heads(DType dtype);
const Oracle& pixel_centres(DType dtype);
const Oracle& relu(DType dtype);
const Oracle& gelu(DType dtype);
const Oracle& resize(DType dtype);
const Oracle& sampling_locations(DType dtype);
const Oracle& scale(DType dtype);
const Oracle& scaled_points(DType dtype);
const Oracle& sigmoid(DType dtype);
const Oracle& sine_embedding(DType dtype);
const Oracle& softmax(DType dtype);
const Oracle& temperatures(DType dtype);
const Oracle& threshold(DType dtype);
const Oracle& unblock_rows(DType dtype);

}  // namespace deformdiff::operation
