#include "check/module_run.h"

#include "check/tapped_stages.h"

#include <utility>

namespace deformdiff {

Outcome run_graph(ExportedModule& module, const CheckedModel& model, const Case& c, const SubjectInfo& info,
                  int threads, std::string& refusal) {
  const std::vector<NamedTensor> arguments = model.arguments(c);
  Outcome outcome = module.run(module_mode::kInterpreter, arguments, true);
  if (outcome.kind == Outcome::Kind::kThrew) {
    Outcome executed = module.run(module_mode::kExecutor, arguments, false);
    if (executed.kind == Outcome::Kind::kReturned) {
      refusal = outcome.message;
      outcome = std::move(executed);
    }
  }
  model.name_outputs(outcome);
  outcome.stages = find_stages(model, model.entry(), c, outcome, info, threads);
  return outcome;
}

Outcome run_mode(ExportedModule& module, const CheckedModel& model, const Case& c, const std::string& mode,
                 const Outcome& graph) {
  Outcome outcome = module.run(mode, model.arguments(c), false);
  model.name_outputs(outcome);
  outcome.stages = graph.stages;
  return outcome;
}

}  // namespace deformdiff
