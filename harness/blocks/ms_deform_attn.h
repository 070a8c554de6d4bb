// Multi-scale deformable attention, forward and backward: the blocks' definitions and the typed view of their
// cases.
//
//   output[n, q, m*D + d] = sum over l, p of  attn_weight[n,q,m,l,p] * sample(value of level l, x, y)[n,m,d]
//   x = sampling_loc[...,0] * W_l - 1/2,   y = sampling_loc[...,1] * H_l - 1/2   (pixel centres at integers)
//
// where sample() interpolates bilinearly and pixels outside the map are zero.
// Source: Zhu et al., Deformable DETR, 2021, equation 3; the coordinate convention of align_corners=False.
#pragma once

#include "blocks/block_definition.h"

#include <cstdint>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Extents: batch N, pixels of all levels S, heads M, channels a head D, queries Q, levels L, points P.
struct Dims {
  std::int64_t N, S, M, D, Q, L, P;
};

struct Level {
  std::int64_t height, width;
  std::int64_t start;  ///< row of `value` where the level begins, from level_start_index
};

/// A validated case, by name. References into the case: it must outlive this.
struct Problem {
  Dims dims;
  std::vector<Level> levels;
  const Tensor& value;         ///< [N, S, M, D], floating
  const Tensor& sampling_loc;  ///< [N, Q, M, L, P, 2] as (x, y); value's dtype, or float32 beside 16 bits
  const Tensor& attn_weight;   ///< [N, Q, M, L, P]; the same
  std::int64_t im2col_step;    ///< a hint: how many of the batch to do at once; >= 1
  DType dtype;                 ///< of value

  /// level_start_index is the running sum of H*W, and S is its end.
  bool has_consecutive_levels() const;
};

/// Validates the operator's inputs and takes them apart, in a case of any block or operation that has them.
/// Throws InputError as Block::validate does.
Problem parse(const Case& c);

/// A validated case of the backward, or of one of its operations.
struct BackwardProblem {
  Problem forward;
  const Tensor& grad_output;  ///< [N, Q, M*D], the dtype of value
};

/// The same of the backward's inputs.
BackwardProblem parse_backward(const Case& c);

/// Samples of all points, each of all channels of a head, times their weights: N*Q*M*D*L*P.
std::int64_t products(const Dims& dims);

/// The four corners times two inputs: multiply-adds that the definition needs, N*Q*M*L*P*4*D.
std::int64_t multiply_adds(const Dims& dims);

/// Inputs, in the operator's order: value, spatial_shapes (int64 [L, 2], height then width),
/// level_start_index (int64 [L]), sampling_loc, attn_weight. Attribute: im2col_step (64). Output: output
/// [N, Q, M*D], of value's dtype. Valid: every level lies within S rows (gaps and any order are allowed), H
/// and W at least 1; sampling_loc and attn_weight have value's dtype, or are float32 beside a value of 16
/// bits.
const BlockDefinition& block();

/// Vector-Jacobian products: of the inputs above and grad_output [N, Q, M*D], last, the gradients of
/// sum(grad_output * output). Outputs grad_value [N, S, M, D] (0 where no level owns the row),
/// grad_sampling_loc [N, Q, M, L, P, 2] and grad_attn_weight [N, Q, M, L, P], each a stage of the inputs
/// alone and of the dtype of what it is the gradient of. Attribute and validity as above.
const BlockDefinition& backward_block();

}  // namespace deformdiff::ms_deform_attn
