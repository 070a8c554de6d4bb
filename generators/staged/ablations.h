// What can be taken away from a case of a deep block.
#pragma once

#include "blocks/block_definition.h"
#include "core/ablation.h"

namespace deformdiff {

/// One image, query, head, level, layer of each stack; no optional inputs, each alone; square maps; the
/// block's default attributes. `block` must outlive the result.
Ablations deep_ablations(const BlockDefinition& block);

}  // namespace deformdiff
