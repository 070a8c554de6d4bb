// Smaller cases from a case of any deep block.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"

namespace deformdiff {

/// Smaller valid cases, best first, each made when it is asked for; each is_simpler() than the case it comes
/// from (simplicity.h). dtype is kept. Order: layers, whole axes, optional inputs, attributes to defaults,
/// storage layouts; whole tensors to zeros, ones, identities, small numbers; then ever smaller steps, of maps
/// too; single indices and elements last. `block` must outlive the result.
Shrinks deep_shrink_stream(const BlockDefinition& block);

/// Those of them that have the same attributes and parameters, for an implementation that holds its own.
Shrinks input_shrink_stream(const BlockDefinition& block);

}  // namespace deformdiff
