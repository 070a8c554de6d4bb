// A case as the file of tensors that `judge` reads, for implementations that we cannot call.
#pragma once

#include "core/case.h"
#include "core/safetensors.h"

namespace deformdiff {

/// Inputs as in.NAME, parameters under their own names, all contiguous; in the metadata the block, its
/// attributes as a configuration, and where the case came from.
SafetensorsFile recording_of(const Case& c);

}  // namespace deformdiff
