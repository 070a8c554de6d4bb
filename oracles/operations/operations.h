// The elementary operations that blocks are made of. A stage with its inputs is a case of one of them, and
// each has an oracle of its own; what a stage computes is said here and nowhere else. In which ways it may be
// computed, and how far off each may be: oracles/README.md.
//
// Each entry: inputs (those in parentheses may be missing); attributes -> the output, named "output"; then
// the formula and where it is from. F.x and torch.x are PyTorch's documentation of that function; DETR is
// Carion et al. 2020, Deformable DETR Zhu et al. 2021, Mask2Former Cheng et al. 2022, with their code.
//
// Dtypes: T is the dtype that the oracle is asked for. Floating inputs and outputs are of T, spatial shapes
// int64, masks bool. Where T is float32 inputs may have 16 bits, and where it has 16 bits, be float32. "Any
// dtype": of the inputs, whatever T is, and of the output. Shapes are those after the inputs' views; inputs
// are contiguous. An input or attribute that is missing, an input of another dtype and shapes that do not fit
// are InputErrors.
//
// Sums of products
//   linear: x [.., K], weight [N, K], (bias [N]) -> [.., N]
//     x weight^T + bias. F.linear
//   conv2d: x [B, I, H, W], weight [O, I, kh, kw], (bias [O]); padding p -> [B, O, H+2p-kh+1, W+2p-kw+1]
//     Cross-correlation of stride 1 with zeros on every side. F.conv2d
//   matmul: a [G, N, K], b [G, K, M] -> [G, N, M]
//     a b. torch.bmm
//   attention_scores: q [G, Q, D], k [G, K, D], (mask [G, Q, K]) -> [G, Q, K]
//     q k^T, -inf where mask. torch.nn.MultiheadAttention, attn_mask
//
// Of one element, or of a row
//   add: a, b, of shapes that broadcast -> the broadcast shape
//     a + b. torch.add
//   scale: x [..]; head_dim (positive) -> [..]
//     x / sqrt(head_dim). Vaswani et al. 2017, equation 1
//   relu: x [..] of any dtype -> [..]
//     0 where x < 0, else x (a NaN too). F.relu
//   gelu: x [..] -> [..]
//     x (1 + erf(x / sqrt(2))) / 2. F.gelu, approximate='none'
//   sigmoid: x [..] -> [..]
//     1 / (1 + exp(-x)). torch.sigmoid
//   softmax: x [.., K] -> [.., K]
//     exp(x) / sum of exp(x) over the last axis. -inf takes no part; a row of -inf is NaN. F.softmax
//   mean_heads: x [B * heads, ..]; heads -> [B, ..]
//     Mean over each batch's heads. torch.nn.MultiheadAttention, average_attn_weights
//   layer_norm: x [.., C], weight [C], bias [C]; eps -> [.., C]
//     (x - mean) / sqrt(var + eps) * weight + bias over the last axis, var the mean of (x - mean)^2.
//     F.layer_norm
//   group_norm: x [B, C, H, W], weight [C], bias [C]; groups, eps -> [B, C, H, W]
//     The same over all pixels of C / groups channels. F.group_norm
//
// Moved, or made of nothing
//   copy: x [..] of any dtype -> [..]
//     x.
//   constant: ; count, v0, v1, .. -> [count]
//     v0, v1, ... T may be int64 here.
//   concat: x0, x1, .. of any one dtype, of like shapes but for one axis; axis -> their lengths added there
//     Behind one another along the axis. torch.cat
//   mask_rows: x [B, S, ..] of any dtype, (mask [B, S]) -> [B, S, ..]
//     0 where mask, else x. torch.Tensor.masked_fill
//
// Masks
//   threshold: logits [B, Q, h, w]; heads, threshold -> bool [B * heads, Q, h * w]
//     sigmoid(logit) < threshold (false for a NaN), repeated for every head. Mask2Former, masked attention
//   unblock_rows: mask [.., K] -> bool [.., K]
//     Rows that are true throughout become false. Mask2Former, masked attention
//
// Sampling
//   ms_deform_attn: value, spatial_shapes, level_start_index, sampling_loc, attn_weight; im2col_step
//     The operator: blocks/ms_deform_attn.h. Deformable DETR, equation 3
//   ms_deform_attn_grad_value: the operator's inputs, grad_output [N, Q, M*D]; im2col_step -> [N, S, M, D]
//   ms_deform_attn_grad_sampling_loc: the same -> [N, Q, M, L, P, 2]
//   ms_deform_attn_grad_attn_weight: the same -> [N, Q, M, L, P]
//     Derivatives of sum(grad_output * output): blocks/ms_deform_attn.h
//   sampling_locations: offsets [B, Q, M, L, P, 2], reference_points [B, Q, L, 2 or 4], spatial_shapes [L, 2]
//     (H, W) -> [B, Q, M, L, P, 2]
//     Of a point r: r + offset / (W, H). Of a box (cx, cy, w, h): (cx, cy) + offset / P * (w, h) / 2.
//     Deformable DETR, its MSDeformAttn module
//   resize: x [B, C, H, W]; height, width -> [B, C, height, width], but [B, C, H, W] if H or W is 0
//     Bilinear. F.interpolate, align_corners=False, antialias=False
//
// Positions
//   coordinates: spatial_shape [2] (H, W), or mask [B, H, W] (true: valid); axis (0: y, 1: x), normalize, and
//     if that is not 0 offset, eps, scale -> T [1 or B, H, W]
//     c, or if normalize (c + offset) / (c of the last + eps) * scale, where c counts the valid cells along
//     the axis up to and with this one. DETR, sine position embedding
//   temperatures: ; count, temperature (positive) -> T [count]
//     temperature^(2 floor(i / 2) / count). DETR, sine position embedding
//   angles: coordinates [..], temperatures [n] -> [.., n]
//     coordinate / temperature. DETR, sine position embedding
//   sine_embedding: angle_y [B, H, W, n], angle_x [B, H, W, n] -> [B, 2n, H, W]
//     For y, then x: channel i is the sine (i even) or cosine (i odd) of angle i. DETR, sine position
//     embedding
//   pixel_centres: spatial_shapes [L, 2] (H, W), valid_ratios [B, L, 2] (rx, ry); level -> [B, H * W, 2]
//     Of that level's pixels, row by row: ((j + 1/2) / (rx W), (i + 1/2) / (ry H)). Deformable DETR, encoder
//   scaled_points: points [B, S, 2], valid_ratios [B, L, 2] -> [B, S, L, 2]
//     points * ratios. Deformable DETR, encoder
#pragma once

#include "core/oracle.h"

#include <string>
#include <vector>

namespace deformdiff {

/// The oracle of cases whose block is `operation` and that compute in `dtype`. Throws InternalError if there
/// is no such operation. `dtype` is floating or, of constant, int64. Lives as long as the program.
const Oracle& operation_oracle(const std::string& operation, DType dtype);

/// Names of all operations, in alphabetical order.
std::vector<std::string> operations();

}  // namespace deformdiff
