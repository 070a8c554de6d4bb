// Cases on a line away from a case of the operator or its backward: what their answers should be is known but
// for a few coefficients, so that the rest is an implementation's own noise.
#pragma once

#include "core/relation.h"

namespace deformdiff::ms_deform_attn {

/// Answers on a line from which the degree's coefficients are taken beyond those that these need: the degrees
/// of freedom of the noise.
constexpr int kSpareAnswers = 16;

/// A nudge of a coordinate, in units of the last place of the coordinate plus 1.
constexpr double kNudge = 2;

/// Fills in `line`, `degree`, `nudged`, `steepest` and `is_continuous`. The answer is linear in value, in
/// weights, in x and in y of points within their cells, and in grad_output. Each goes along the line by up to
/// an eighth: of the largest magnitude of its tensor, or of a pixel. Points of 16-bit types, which name few
/// places in a cell, stay where they are. Nudged are the points, by a rounding of their coordinates: in four
/// cases, to each quadrant once.
void add_noise_line(const Case& c, RelatedCases& related);

}  // namespace deformdiff::ms_deform_attn
