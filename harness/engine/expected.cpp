#include "engine/expected.h"

#include "engine/stage_judge.h"

#include <map>
#include <string>

namespace deformdiff {

ExpectedStage expected_of_stage(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                                const SubjectInfo& info, const Stage& stage, bool untapped, int threads) {
  StageValues values(entry, c, info.precision, info.contract, threads);
  for (const Stage& earlier : entry.block->stages(c)) {
    if (earlier.name == stage.name) break;
    if (const Tensor* shown = shown_value(entry, c, outcome, earlier.name, untapped)) {
      values.set_seen(earlier, *shown);
    } else {
      values.set_drawn(earlier, values.refer(earlier));
    }
  }
  return {values.refer(stage), values.stage_case(stage)};
}

std::vector<StageReference> expected_outputs(const BlockEntry& entry, const Case& c, const SubjectInfo& info,
                                             int threads) {
  StageValues values(entry, c, info.precision, info.contract, threads);
  std::map<std::string, StageReference> by_stage;
  for (const Stage& stage : entry.block->stages(c)) {
    StageReference& reference = by_stage[stage.name] = values.refer(stage);
    values.set_drawn(stage, reference);
  }
  std::vector<StageReference> expected;
  for (const OutputSpec& output : entry.block->outputs(c)) expected.push_back(by_stage.at(output.stage));
  return expected;
}

}  // namespace deformdiff
