#include "check/blocked_rows.h"

#include <algorithm>
#include <span>

namespace deformdiff {

bool blocks_a_row(const BlockDefinition& block, const Replay& replay) {
  for (const Stage& stage : block.stages(replay.problem)) {
    if (stage.operation != "unblock_rows") continue;
    const Tensor* mask = find_tensor(replay.outcome.stages, stage.inputs.front().value);
    if (mask == nullptr || mask->elements() == 0) continue;
    const auto row = static_cast<std::size_t>(mask->shape().back());
    const Tensor dense = mask->contiguous();
    const std::span<const std::byte> bits = dense.storage();
    for (std::size_t first = 0; first < bits.size(); first += row) {
      if (std::ranges::all_of(bits.subspan(first, row), [](std::byte bit) { return bit != std::byte{0}; })) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace deformdiff
