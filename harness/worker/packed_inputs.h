// Inputs that are parts of one tensor, as a model's are that computes several by one product.
#pragma once

#include "core/case.h"

namespace deformdiff::worker {

/// The same case, the inputs of each dtype one after another in one storage, each from an address that its
/// own storage could have.
Case packed_inputs(const Case& c);

}  // namespace deformdiff::worker
