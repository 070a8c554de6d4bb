// A float32 module's graph in float64: constants that are slightly off show there.
#pragma once

#include "check/cause.h"
#include "check/checked_model.h"
#include "check/exported_module.h"

namespace deformdiff {

/// Replays a case with every number widened, and judges it by float64 bounds and what rounding the module's
/// constants to float32 may do. Vacuous, with the reason, where the graph cannot be had in float64
/// throughout.
Replay replay_in_float64(const CheckedModel& model, ExportedModule& module, const SubjectInfo& info,
                         const Replay& of_float32, int threads);

}  // namespace deformdiff
