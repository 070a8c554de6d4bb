// What a stage computes, as its definition says it, in float64 with numpy or in the run's own precision with
// PyTorch.
#pragma once

#include "core/stage.h"

#include <string>

namespace deformdiff::cli {

/// A function plain(OPERANDS) in numpy, of the operation's inputs by name, and of the stage's attributes,
/// that returns the stage's value.
std::string numpy_formula(const Stage& stage);

/// The same of ms_deform_attn in plain PyTorch, with grid_sample, in the operands' dtype.
std::string torch_formula();

}  // namespace deformdiff::cli
