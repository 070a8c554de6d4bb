// Steps that make storage layouts simpler.
#pragma once

#include "generators/shrink/steps.h"

#include <string>

namespace deformdiff {

/// All tensors contiguous.
Step contiguous_everything();

/// The storage layout of one input simpler by one thing.
Step simpler_storage(const Draft& draft, const std::string& input);

}  // namespace deformdiff
