#include "generators/staged/levels.h"

#include <algorithm>

namespace deformdiff {
namespace {

/// What a stride of 2 makes of a side, the other way round.
std::int64_t finer(std::int64_t side, Draw& draw) {
  return 2 * side - (draw.chance(35) ? 1 : 0);
}

LevelSize any_level(const std::vector<LevelSize>& before, Draw& draw) {
  switch (draw.between(0, 5)) {
    case 0:
      return {1, 1};
    case 1:
      return {1, draw.between(2, 13)};
    case 2:
      return {draw.between(2, 13), 1};
    case 3:
      if (!before.empty()) return {before.back().width, before.back().height};
      return {draw.between(1, 4), draw.between(5, 9)};
    default:
      return {draw.between(1, 9), draw.between(1, 9)};
  }
}

}  // namespace

std::vector<LevelSize> draw_small_levels(std::int64_t count, Draw& draw) {
  std::vector<LevelSize> levels;
  LevelSize level{draw.between(1, 2), 2};
  for (std::int64_t l = 0; l < count; ++l) {
    levels.push_back(level);
    level = {finer(level.height, draw), finer(level.width, draw)};
  }
  return levels;
}

std::vector<LevelSize> draw_levels(DeepTier tier, std::int64_t count, Draw& draw) {
  std::vector<LevelSize> levels;
  LevelSize level{draw.between(1, 4), draw.between(2, 4)};
  for (std::int64_t l = 0; l < count; ++l) {
    if (tier == DeepTier::kTypical) {
      levels.push_back(level);
      level = {finer(level.height, draw), finer(level.width, draw)};
    } else if (tier == DeepTier::kDegenerate) {
      levels.push_back(draw.chance(80) ? LevelSize{1, 1} : LevelSize{draw.between(1, 2), draw.between(1, 3)});
    } else {
      levels.push_back(any_level(levels, draw));
    }
  }
  if (tier == DeepTier::kTypical && draw.chance(15)) std::ranges::reverse(levels);
  return levels;
}

}  // namespace deformdiff
