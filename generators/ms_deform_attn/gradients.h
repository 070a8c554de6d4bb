// Elements of grad_output: what a backward is given beside the operator's inputs.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "core/random.h"
#include "generators/common/draw.h"

#include <cstdint>

namespace deformdiff::ms_deform_attn {

enum class GradientStyle : std::uint8_t {
  kNormal,
  kOnes,      ///< 1, expanded from one element: what output.sum() passes
  kMean,      ///< 1 / elements, expanded likewise: what output.mean() passes
  kRow,       ///< N(0, 1) for each channel, expanded over batch and queries: what a sum over them passes
  kOneHot,    ///< one element is 1, the others 0: a row of the Jacobian
  kIntegers,  ///< -8 to 8
  kSparse,    ///< one query in four is not zero; some of the zeros are negative
  kZeros,
  kWide,          ///< +-2^k, k uniform in [-20, 20]
  kCancellation,  ///< 10000, of alternating sign between queries, plus N(0, 1)
  kTags,          ///< a number of its own for each batch, query and channel
  kTiny,          ///< N(0, 1) times 2^-40
  kLarge,         ///< N(0, 1) times 2^16: a scaled loss, beyond float16
};

/// What suits values whose largest finite magnitude this is: with those near overflow, only gradients that
/// keep sums finite.
GradientStyle draw_gradient_style(Draw& draw, double largest_value, DType dtype);

/// [N, Q, M*D].
Tensor make_gradient(const Dims& dims, DType dtype, GradientStyle style, const CounterRandom& random);

/// `gradient`, contiguous, with one to three of its elements, or all channels of a head, NaN or infinite.
Tensor with_nonfinite(const Tensor& gradient, std::int64_t channels, Draw& draw);

/// One number for every element, in storage of one.
Tensor repeated(double number, DType dtype, const Shape& shape);

}  // namespace deformdiff::ms_deform_attn
