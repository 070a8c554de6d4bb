// The two cures of a kernel that the tracer cannot see, and what each costs on this machine.
#pragma once

#include "check/request.h"
#include "engine/block_entry.h"

#include <string>
#include <vector>

namespace deformdiff {

/// Times the block over the pure PyTorch path and over the registered operator on this case, beside
/// `module_seconds`, the module's own time. Empty where neither runs.
std::vector<std::string> cures_for(const CheckRequest& request, const BlockEntry& entry, const Case& c,
                                   double module_seconds);

}  // namespace deformdiff
