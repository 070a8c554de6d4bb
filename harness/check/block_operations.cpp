#include "check/block_operations.h"

#include <algorithm>
#include <vector>

namespace deformdiff {

bool has_operation(const Block& block, const Case& c, std::string_view operation) {
  const std::vector<Stage> stages = block.stages(c);
  return std::ranges::find(stages, operation, &Stage::operation) != stages.end();
}

}  // namespace deformdiff
