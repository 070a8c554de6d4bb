#include "check/float64_replay.h"

#include "check/rounded_constants.h"
#include "check/tapped_stages.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Why the run says nothing of the graph in float64; empty if it does.
std::string why_not_raised(const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::kReturned) return outcome.message;
  for (const auto* tensors : {&outcome.stages, &outcome.outputs}) {
    for (const NamedTensor& value : *tensors) {
      const DType dtype = value.tensor.dtype();
      if (is_floating(dtype) && dtype != DType::kFloat64) {
        return fmt::format("{} stays {}", value.name, name_of(dtype));
      }
    }
  }
  return "";
}

}  // namespace

Replay replay_in_float64(const CheckedModel& model, ExportedModule& module, const SubjectInfo& info,
                         const Replay& of_float32, int threads) {
  const BlockEntry rounded = with_rounded_constants(model.entry());
  Replay replay{
      "float64/" + of_float32.name,
      of_float32.sizes,
      {},
      {},
      {},
      "its graph in float64: a constant in it, an epsilon, a factor or a table, is off by more than its "
      "rounding to float32"};
  replay.problem = model.block().converted(of_float32.problem, DType::kFloat64);
  replay.outcome = module.run(module_mode::kFloat64, model.arguments(replay.problem), true);
  if (const std::string reason = why_not_raised(replay.outcome); !reason.empty()) {
    replay.judged.comparison.verdict = Verdict::kVacuous;
    replay.judged.comparison.reason = fmt::format("the graph cannot be had in float64: {}", reason);
    return replay;
  }
  model.name_outputs(replay.outcome);
  replay.outcome.stages = find_stages(model, rounded, replay.problem, replay.outcome, info, threads);
  replay.judged =
      judge_stages(rounded, replay.problem, replay.outcome, info, {.threads = threads, .one_run = true});
  return replay;
}

}  // namespace deformdiff
