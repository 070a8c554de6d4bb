// Smaller cases from a case of any deep block.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"

#include <rapidcheck/Seq.h>

namespace deformdiff {

/// Smaller valid cases, best first, each made when it is asked for; each is_simpler() than `c`
/// (staged_simplicity.h). dtype is kept. Order: layers, whole axes and optional inputs, maps, attributes to
/// defaults, layouts; whole tensors to zeros, ones, identities, small numbers; then ever smaller steps;
/// single indices and elements last. `block` must outlive the result.
rc::Seq<Case> staged_shrinks(const BlockDefinition& block, const Case& c);

/// The same as the engine wants it.
Shrinks staged_shrink_stream(const BlockDefinition& block);

}  // namespace deformdiff
