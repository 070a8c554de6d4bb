// Smaller cases from a case.
#pragma once

#include "core/generator.h"

#include <rapidcheck/Seq.h>

namespace deformdiff::ms_deform_attn {

/// Smaller valid cases, best first, each made when it is asked for; each is_simpler() than `c`
/// (ms_deform_attn_simplicity.h). dtype is kept. Order: what halves axes, maps and disorder, and what sets a
/// whole tensor to a constant; then ever smaller steps; single indices and elements last.
rc::Seq<Case> shrinks(const Case& c);

/// The same as the engine wants it.
CaseStream shrink_stream(const Case& c);

}  // namespace deformdiff::ms_deform_attn
