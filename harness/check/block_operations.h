// What a block computes for a case.
#pragma once

#include "core/block.h"

#include <string_view>

namespace deformdiff {

/// Whether one of the case's stages is this operation.
bool has_operation(const Block& block, const Case& c, std::string_view operation);

}  // namespace deformdiff
