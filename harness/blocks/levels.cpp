#include "blocks/levels.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {

std::vector<LevelSize> level_sizes(const Case& c) {
  const Tensor shapes = c.input("spatial_shapes").contiguous();
  const auto sides = shapes.values<std::int64_t>();
  std::vector<LevelSize> levels;
  std::int64_t total = 0;
  for (std::size_t l = 0; 2 * l < sides.size(); ++l) {
    const LevelSize level{sides[2 * l], sides[2 * l + 1]};
    const auto refuse = [&](const char* why) {
      throw InputError(fmt::format("block {}: spatial_shapes: level {} is {} x {}{}", c.block, l,
                                   level.height, level.width, why));
    };
    if (level.height < 1 || level.width < 1) refuse("; at least 1 x 1 wanted");
    std::int64_t area = 0;
    if (__builtin_mul_overflow(level.height, level.width, &area) ||
        __builtin_add_overflow(total, area, &total)) {
      refuse(": more pixels in all than 64 bits count");
    }
    levels.push_back(level);
  }
  return levels;
}

std::int64_t total_pixels(const std::vector<LevelSize>& levels) {
  std::int64_t total = 0;
  for (const LevelSize& level : levels) total += level.pixels();
  return total;
}

std::vector<std::int64_t> level_starts(const std::vector<LevelSize>& levels) {
  std::vector<std::int64_t> starts;
  std::int64_t row = 0;
  for (const LevelSize& level : levels) {
    starts.push_back(row);
    row += level.pixels();
  }
  return starts;
}

void check_levels(const Case& c, std::int64_t rows) {
  const std::vector<LevelSize> levels = level_sizes(c);
  if (total_pixels(levels) != rows) {
    throw InputError(
        fmt::format("block {}: spatial_shapes: the levels have {} pixels in all, {} wanted as in the tensors",
                    c.block, total_pixels(levels), rows));
  }
  const Tensor starts = c.input("level_start_index").contiguous();
  const auto found = starts.values<std::int64_t>();
  const std::vector<std::int64_t> wanted = level_starts(levels);
  if (!std::equal(found.begin(), found.end(), wanted.begin(), wanted.end())) {
    throw InputError(
        fmt::format("block {}: level_start_index: [{}] found, [{}] wanted, the running sum of spatial_shapes",
                    c.block, fmt::join(found, ", "), fmt::join(wanted, ", ")));
  }
}

}  // namespace deformdiff
