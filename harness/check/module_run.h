// One call of an exported model: what a block's judge wants to know of it.
#pragma once

#include "check/checked_model.h"
#include "check/exported_module.h"

#include <string>

namespace deformdiff {

/// The recorded graph in the plain interpreter, its stages found. Where that alone refuses the graph, the
/// executor's results without stages, and `refusal` says why. A traced number is a tensor of one double in
/// the recorded graph, which an operator may refuse beside float32; LibTorch's executor takes it for the
/// number that it was.
Outcome run_graph(ExportedModule& module, const CheckedModel& model, const Case& c, const SubjectInfo& info,
                  int threads, std::string& refusal);

/// The outputs of another mode, beside the stages that run_graph() found in the same case.
Outcome run_mode(ExportedModule& module, const CheckedModel& model, const Case& c, const std::string& mode,
                 const Outcome& graph);

}  // namespace deformdiff
