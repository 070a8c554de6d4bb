#include "generators/ms_deform_attn/levels.h"

#include <algorithm>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

std::int64_t draw_side(Draw& draw, std::int64_t limit, bool power_of_two) {
  if (power_of_two) {
    std::int64_t side = std::int64_t{1} << draw.between(0, 6);
    while (side > limit) side /= 2;
    return side;
  }
  std::int64_t side = 1;
  switch (draw.share_of({45, 30, 25})) {
    case 0:
      side = draw.between(1, 9);
      break;
    case 1:
      side = draw.between(1, 64);
      break;
    default:
      side = draw.one_of<std::int64_t>(
          {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257});
  }
  return std::min(side, limit);
}

}  // namespace

std::vector<Level> draw_levels(Draw& draw, std::int64_t count, std::int64_t area, bool power_of_two) {
  const bool height_first = draw.chance(50);
  std::vector<Level> levels;
  for (std::int64_t l = 0; l < count; ++l) {
    std::int64_t first = draw_side(draw, area, power_of_two);
    std::int64_t second = draw_side(draw, area / first, power_of_two);
    if (!height_first) std::swap(first, second);
    levels.push_back({first, second, 0});
  }
  switch (draw.share_of({40, 10, 10, 12, 6, 6, 6, 10})) {
    case 1:
      std::ranges::sort(levels, {}, [](const Level& l) { return l.height * l.width; });
      break;
    case 2:
      std::ranges::sort(levels, {}, [](const Level& l) { return -l.height * l.width; });
      break;
    case 3:  // twins that only their orientation tells apart
      for (std::size_t l = 1; l < levels.size(); l += 2)
        levels[l] = {levels[l - 1].width, levels[l - 1].height, 0};
      break;
    case 4:
      levels[static_cast<std::size_t>(draw.between(0, count - 1))] = {1, 1, 0};
      break;
    case 5:
      levels[static_cast<std::size_t>(draw.between(0, count - 1))].height = 1;
      break;
    case 6:
      levels[static_cast<std::size_t>(draw.between(0, count - 1))].width = 1;
      break;
    case 7:  // all alike
      for (Level& level : levels) level = levels.front();
      break;
    default:
      break;
  }
  return levels;
}

Level draw_long_level(Draw& draw) {
  const auto length = draw.one_of<std::int64_t>({300, 511, 512, 513, 1023, 1024, 1025, 2049, 4096, 4097, 9999,
                                                 32767, 32769, 40000, 65535, 65537, 70001});
  const std::int64_t breadth = length < 5000 ? draw.between(1, 3) : 1;
  return draw.chance(50) ? Level{length, breadth, 0} : Level{breadth, length, 0};
}

Starts draw_starts(Draw& draw) {
  static const std::vector<Starts> kinds{Starts::kConsecutive, Starts::kPermuted, Starts::kGapped,
                                         Starts::kOverlapping};
  return kinds[draw.share_of({70, 12, 15, 3})];
}

std::int64_t place_levels(std::vector<Level>& levels, Starts starts, Draw& draw) {
  std::vector<std::size_t> order(levels.size());
  for (std::size_t l = 0; l < order.size(); ++l) order[l] = l;
  if (starts == Starts::kPermuted) {
    for (std::size_t l = order.size(); l > 1; --l) {
      std::swap(order[l - 1],
                order[static_cast<std::size_t>(draw.between(0, static_cast<std::int64_t>(l) - 1))]);
    }
  }
  const auto gap = [&] { return starts == Starts::kGapped ? draw.between(0, 3) : 0; };
  std::int64_t row = gap();
  std::int64_t rows = row;
  for (const std::size_t l : order) {
    Level& level = levels[l];
    level.start = row;
    rows = std::max(rows, row + level.height * level.width);
    row = starts == Starts::kOverlapping ? draw.between(0, rows) : rows + gap();
  }
  return rows + gap();
}

}  // namespace deformdiff::ms_deform_attn
