// Smaller cases from a case of the operator or of its backward.
#pragma once

#include "core/generator.h"

namespace deformdiff::ms_deform_attn {

/// Smaller valid cases, best first, each made when it is asked for; each is_simpler() than `c`
/// (simplicity.h). dtype is kept. Order: what halves axes, maps and disorder, and what sets a whole tensor to
/// a constant; then ever smaller steps; single indices and elements last.
CaseStream shrink_stream(const Case& c);

}  // namespace deformdiff::ms_deform_attn
