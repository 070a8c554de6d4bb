// Is this exported model right? Which stage diverges first, under which replay, and why.
#pragma once

#include "check/request.h"
#include "reports/run_report.h"

namespace deformdiff {

/// Throws InputError naming the model's file, what is wrong with it or with the request, and the fix. What
/// the model itself does wrong is in the report.
RunReport check(const CheckRequest& request);

}  // namespace deformdiff
