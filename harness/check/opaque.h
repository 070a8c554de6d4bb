// A model whose stages we do not know: its outputs beside a float64 run of the same graph.
#pragma once

#include "check/exported_module.h"
#include "check/request.h"
#include "reports/run_report.h"

namespace deformdiff {

/// Judges the module's outputs on the inputs of --inputs, in every mode, against float64 outputs recorded
/// there ("out.f64.NAME"), or else its own graph in float64. The tolerance is estimated from float32 runs on
/// inputs and parameters moved within rounding. Throws InputError where inputs, or a reference, are missing.
void check_opaque(const CheckRequest& request, ExportedModule& module, RunReport& report);

}  // namespace deformdiff
