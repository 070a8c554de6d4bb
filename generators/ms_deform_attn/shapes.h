// Cases of fixed shapes: those of real models, those that are very large, and the `standard` distribution.
#pragma once

#include "generators/ms_deform_attn/sketch.h"

#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// m2f_enc, ddetr_enc, ddetr_dec, small256: batch 1, 8 heads of 32 channels, 4 points.
std::vector<std::string> model_names();

/// `locations` is "near" (reference point, head's direction times p+1, noise of 2 pixels) or "uniform" in
/// [0, 1]; values N(0, 1), weights normalised. Throws InputError for an unknown name.
Case model_case(std::string_view name, std::string_view locations, DType dtype, std::uint64_t seed);

/// The backward of a forward case's problem, with grad_output N(0, 1).
Case backward_case(Case c, std::uint64_t seed);

/// Case `index` of the distribution that throughput is measured on, float32: N 1-3, Q 1-64, M 1-8, D 1-40,
/// L 1-4, P 1-8, sides 1-32; coordinates half in [-0.2, 1.2], a quarter on pixel centres, a quarter on the
/// edges; values N(0, 1), weights normalised.
Case standard_case(std::uint64_t seed, std::uint64_t index);

/// The large case of period `period`, by turns: value of more than 2^24 elements, more groups than a grid
/// has blocks, real models' shapes, and at every twentieth an encoder's.
Case large_case(std::uint64_t period, std::uint64_t seed);

/// Puts the tensors together.
Case assemble(const Sketch& sketch, Tensor value, Tensor locations, Tensor weights);

}  // namespace deformdiff::ms_deform_attn
