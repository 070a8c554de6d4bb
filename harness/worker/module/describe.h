// Everything that is known of a module without running it.
#pragma once

#include "core/module_description.h"

#include <string>

#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {

/// Describes `module`, which load_module() has loaded from `file`; with an empty `file` nothing is said of
/// the shapes when it was traced. What cannot be described is in the notes.
ModuleDescription describe(const torch::jit::Module& module, const std::string& file);

}  // namespace deformdiff::worker
