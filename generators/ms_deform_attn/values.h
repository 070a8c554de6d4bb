// Elements of value and attn_weight.
#pragma once

#include "core/random.h"
#include "generators/ms_deform_attn/sketch.h"

#include <cstdint>

namespace deformdiff::ms_deform_attn {

enum class ValueStyle : std::uint8_t {
  kNormal,
  kPositive,      ///< uniform in [0.5, 1.5)
  kRamp,          ///< a + b x + c y, other coefficients for each batch, level, head and channel
  kTags,          ///< a number of its own for each batch, level, pixel, head and channel
  kIntegers,      ///< -8 to 8
  kCancellation,  ///< large, of alternating sign between neighbours, plus N(0, 1)
  kConstant,
  kSparse,        ///< one pixel in eight is not zero; some of the zeros are negative
  kChecker,       ///< sign alternating along x, y and channels
  kDecaying,      ///< N(0, 1) over 2^(channel mod 24)
  kWide,          ///< +-2^k, k uniform in [-20, 20]
  kSubnormal,     ///< around the smallest normal number
  kNearOverflow,  ///< as large as L*P*4 terms may be without overflow
  kLarge,         ///< N(0, 1) times 2^18: beyond float16
};

enum class WeightStyle : std::uint8_t {
  kNormalised,  ///< positive, of sum 1 over levels and points, as after a softmax
  kPeaked,      ///< the same, nearly all of it on one point
  kUniform,     ///< [0, 1), not normalised
  kNormal,      ///< of either sign
  kOneHot,
  kSparse,  ///< a third zero, some of them negative
  kEqual,   ///< 1 / (L*P)
  kOnes,
  kTags,      ///< a number of its own for each level and point
  kZeroSum,   ///< pairs w, -w
  kDecaying,  ///< 2^-k over the points
  kTiny,      ///< normalised times 2^-40
  kLarge,     ///< N(0, 1) times 2^17
};

ValueStyle draw_value_style(Draw& draw);

/// With values near overflow, only weights that keep the sum finite.
WeightStyle draw_weight_style(Draw& draw, ValueStyle values);

/// [N, S, M, D], contiguous. Rows that belong to no level hold loud finite numbers.
Tensor make_value(const Sketch& sketch, ValueStyle style, const CounterRandom& random);

/// [N, Q, M, L, P], contiguous.
Tensor make_weights(const Sketch& sketch, WeightStyle style, const CounterRandom& random);

}  // namespace deformdiff::ms_deform_attn
