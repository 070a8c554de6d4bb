// An exported module as implementations: the recorded graph, and what LibTorch makes of it.
#pragma once

#include "subjects/subject.h"

#include <vector>

#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {

/// The module five times, for cases of the block kOpaqueBlock:
///   module/interpreter  the recorded graph itself
///   module/executor     LibTorch's default executor, which rewrites the graph in its first calls: the third
///   module/frozen       frozen in evaluation mode, then as above
///   module/inference    the same made ready with optimize_for_inference
///   module/float64      the recorded graph in double; unsupported where it cannot be had
/// The first and the last show taps. Outputs are those of flatten_outputs().
SubjectList module_subjects(const torch::jit::Module& module);

/// Tensors in what a module returned, in depth-first order: elements of tuples and lists, values of dicts.
/// Anything else is left out.
std::vector<at::Tensor> flatten_outputs(const c10::IValue& returned);

}  // namespace deformdiff::worker
