// A function of tensors as TorchScript makes it: traced on one input, run on another.
#pragma once

#include "subjects/function_subject.h"

namespace deformdiff::worker {

enum class Reload { kNo, kYes };  ///< kYes: saved to a stream and loaded before it is run

/// Traces `function` on inputs derived from the given ones (same shapes, other values), then runs the
/// module on the given ones.
MsDeformAttnFunction traced(MsDeformAttnFunction function, Reload reload);

}  // namespace deformdiff::worker
