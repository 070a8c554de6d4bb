// Blocks as TorchScript makes them: traced on one input, run on another.
#pragma once

#include "subjects/function_subject.h"
#include "subjects/tracing/tracing_inputs.h"

#include <string>

namespace deformdiff::worker {

/// What happens to a traced module before its result is taken.
enum class Replay {
  kInterpreter,  ///< the recorded graph as it is
  kReloaded,     ///< saved, loaded in another process, and there as it is
  kOptimized,    ///< the default executor: the third call, which runs what two calls were profiled for
  kFrozen,       ///< torch::jit::freeze, then as it is
  kInference,    ///< torch::jit::optimize_for_inference, then as kOptimized
};

/// Traces `function` on inputs derived from a call's, with the parameters as attributes of the module, and
/// runs the module on the call's own. Where the call wants to see the stages, a module that puts them out too
/// is traced, replayed alike, and shows them. The operator's backward is autograd through its traced forward.
BlockFunction traced(BlockFunction function, Replay replay, TracingSizes sizes = TracingSizes::kOther);

/// Traces `function` on the call's own inputs and saves the module as an export would be.
void save_traced(const BlockFunction& function, const Call& call, const std::string& file);

}  // namespace deformdiff::worker
