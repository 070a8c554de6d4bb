// An exported model of a block, replayed and judged stage by stage.
#pragma once

#include "check/exported_module.h"
#include "check/request.h"
#include "engine/block_entry.h"
#include "reports/run_report.h"

namespace deformdiff {

/// Adds the model as a subject, a scenario for each replay, what the graph shows, the cause and advice.
/// Throws InputError where the model or the request's files are not what the request says.
void check_model(const CheckRequest& request, const BlockEntry& entry, ExportedModule& module,
                 RunReport& report);

}  // namespace deformdiff
