// The elementary operations that deep blocks are made of. A stage with its inputs is a case of one of them,
// and each has an oracle of its own; what a stage computes is said here and nowhere else.
//
// T is the dtype of the run, float32 or float64; every floating input and output is of it. Shapes are those
// after the inputs' views. Output: one, named "output".
//
//   operation           inputs (optional ones in brackets) -> output                    attributes
//   add                 a [..], b (broadcast as NumPy does) -> a + b
//   linear              x [.., K], weight [N, K], (bias [N]) -> x weight^T + bias  [.., N]
//   conv2d              x [B, I, H, W], weight [O, I, kh, kw], (bias [O])               padding (both sides
//   of both axes)
//                       -> [B, O, H', W'], stride 1
//   layer_norm          x [.., C], weight [C], bias [C] -> (x - mean) / sqrt(var + eps) * weight + bias eps
//   group_norm          x [B, C, H, W], weight [C], bias [C] -> the same over groups of C/groups channels
//   groups, eps relu                x -> max(x, 0) gelu                x -> x (1 + erf(x / sqrt(2))) / 2
//   softmax             x [.., K] -> over the last axis; -inf takes no part, a row of -inf is NaN
//   scale               x -> x / sqrt(head_dim)                                         head_dim
//   sigmoid             x -> 1 / (1 + exp(-x))
//   attention_scores    q [G, Q, D], k [G, K, D], (mask bool [G, Q, K]) -> q k^T, -inf where mask  [G, Q, K]
//   matmul              a [G, N, K], b [G, K, M] -> [G, N, M]
//   mean_heads          x [B*heads, Q, K] -> mean over each batch's heads  [B, Q, K]    heads
//   copy                x of any dtype -> x
//   constant            -> [count]: the numbers v0, v1, ..; int64, or T                    count, v0, v1, ..,
//   bits (0: int64; 32, 64: T) concat              x0, x1, .. of any dtype -> behind one another along an
//   axis     axis mask_rows           x [B, S, ..], (mask bool [B, S]) -> x, 0 where mask ms_deform_attn
//   value, spatial_shapes, level_start_index, sampling_loc, attn_weight, as the block   im2col_step
//   sampling_locations  offsets [B, Q, M, L, P, 2], reference_points [B, Q, L, 2 or 4], spatial_shapes int64
//   [L, 2] (H, W)
//                       -> r + offset / (W, H); for boxes (cx, cy, w, h): (cx, cy) + offset / P * (w, h) / 2
//   resize              x [B, C, H, W] -> bilinear, align_corners false, no antialiasing   height, width
//   threshold           logits [B, Q, h, w] -> bool [B*heads, Q, h*w]: sigmoid(logit) < threshold, each
//   batch's   heads, threshold
//                       mask repeated for every head
//   unblock_rows        mask bool [G, Q, K] -> mask, rows that are true throughout become false
//   coordinates         spatial_shape int64 [2] (H, W) -> T [1, H, W], or mask bool [B, H, W] (true = valid)
//   -> T [B, H, W]:
//                       number of valid cells up to and with this one along the axis, c;   axis (0: y, 1: x),
//                       normalize, normalize ? (c + offset) / (last c + eps) * scale : c              offset,
//                       eps, scale, bits (32, 64)
//   temperatures        -> T [count]: temperature^(2 floor(i/2) / count)                count, temperature,
//   bits angles              coordinates [B, H, W], temperatures [n] -> coordinates / temperatures  [B, H, W,
//   n] sine_embedding      angle_y [B, H, W, n], angle_x [B, H, W, n] -> [B, 2n, H, W]: for y, then x: sin of
//   even, cos of
//                       odd angles, in place (channel i is sin or cos of angle i)
//   pixel_centres       spatial_shapes int64 [L, 2], valid_ratios [B, L, 2] (width, height) of level l -> [B,
//   H*W, 2]:   level
//                       ((j + 1/2) / (ratio_w W), (i + 1/2) / (ratio_h H)), rows first
//   scaled_points       points [B, S, 2], valid_ratios [B, L, 2] -> points * ratios  [B, S, L, 2]
#pragma once

#include "core/oracle.h"

#include <string>
#include <vector>

namespace deformdiff {

/// The oracle of cases whose block is `operation` and that compute in `dtype`. Throws InternalError if there
/// is no such operation, InputError if that dtype is not judged. Lives as long as the program.
const Oracle& operation_oracle(const std::string& operation, DType dtype);

/// Names of all operations, in alphabetical order.
std::vector<std::string> operations();

}  // namespace deformdiff
