// The operator's stream of cases.
#pragma once

#include "core/generator.h"

namespace deformdiff::ms_deform_attn {

/// Tiers exact, typical, adversarial, degenerate, nonfinite, and huge where it is named. Lives as long as the
/// program.
const Generator& generator();

}  // namespace deformdiff::ms_deform_attn
