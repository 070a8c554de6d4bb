#include "engine/expected.h"

#include "core/error.h"
#include "engine/stage_judge.h"

#include <map>
#include <string>

#include <fmt/format.h>

namespace deformdiff {

ExpectedStage expected_of_stage(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                                const SubjectInfo& info, const Stage& stage, bool untapped, int threads) {
  StageValues values(entry, c, info.precision, info.contract, threads);
  for (const Stage& each : entry.block->stages(c)) {
    const Tensor* const shown = shown_value(entry, c, outcome, each.name, untapped);
    const Stage typed = values.typed(each, shown);
    if (typed.name == stage.name) return {values.refer(typed), values.stage_case(typed)};
    if (shown != nullptr) {
      values.set_seen(typed, *shown);
    } else {
      values.set_drawn(typed, values.refer(typed));
    }
  }
  throw InternalError(fmt::format("block {} has no stage {}", c.block, stage.name));
}

std::vector<StageReference> expected_outputs(const BlockEntry& entry, const Case& c, const SubjectInfo& info,
                                             int threads) {
  StageValues values(entry, c, info.precision, info.contract, threads);
  std::map<std::string, StageReference> by_stage;
  for (const Stage& each : entry.block->stages(c)) {
    const Stage stage = values.typed(each, nullptr);
    StageReference& reference = by_stage[stage.name] = values.refer(stage);
    values.set_drawn(stage, reference);
  }
  std::vector<StageReference> expected;
  for (const OutputSpec& output : entry.block->outputs(c)) expected.push_back(by_stage.at(output.stage));
  return expected;
}

}  // namespace deformdiff
