#include "generators/shrink/level_steps.h"

namespace deformdiff {

std::vector<Crop> whole_levels(const Draft& draft) {
  std::vector<Crop> levels;
  const Tensor* const shapes = draft.dense.find_input("spatial_shapes");
  if (shapes == nullptr) return levels;
  const auto sides = shapes->values<std::int64_t>();
  for (std::size_t l = 0; 2 * l < sides.size(); ++l)
    levels.push_back({l, 0, sides[2 * l], 0, sides[2 * l + 1]});
  return levels;
}

std::vector<Crop> whole_levels(const Draft& draft, const Indices& levels) {
  const std::vector<Crop> whole = whole_levels(draft);
  std::vector<Crop> kept;
  for (const std::int64_t l : levels) kept.push_back(whole[static_cast<std::size_t>(l)]);
  return kept;
}

void append_rows(const Crop& crop, std::int64_t start, std::int64_t width, Indices& rows) {
  for (std::int64_t y = crop.top; y < crop.top + crop.height; ++y) {
    for (std::int64_t x = crop.left; x < crop.left + crop.width; ++x) rows.push_back(start + y * width + x);
  }
}

Draft keep_rows(const Draft& draft, const std::vector<Crop>& crops, const Indices& starts,
                const Indices& rows) {
  const auto count = static_cast<std::int64_t>(crops.size());
  Indices levels;
  Indices sides;
  for (const Crop& crop : crops) {
    levels.push_back(static_cast<std::int64_t>(crop.level));
    sides.insert(sides.end(), {crop.height, crop.width});
  }
  Extents extents = draft.block->dimensions(draft.dense);
  Draft kept = keep_extent(draft, extents, "S", rows);
  extents["S"] = static_cast<std::int64_t>(rows.size());
  kept = keep_extent(kept, extents, "L", levels);
  set_input(kept.dense, "spatial_shapes", int64_tensor({count, 2}, sides));
  set_input(kept.dense, "level_start_index", int64_tensor({count}, starts));
  return kept;
}

void add_crops(const Draft& draft, const std::function<Draft(const Draft&, const std::vector<Crop>&)>& keep,
               Steps& steps) {
  const auto levels = static_cast<std::int64_t>(whole_levels(draft).size());
  for (const int part : {0, 1, 2}) {
    steps.push_back({levels * 4, [keep, part](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                       std::vector<Crop> crops = whole_levels(from);
                       Crop& crop = crops[static_cast<std::size_t>(which / 4)];
                       const bool vertical = which % 2 == 0;
                       std::int64_t& size = vertical ? crop.height : crop.width;
                       std::int64_t& begin = vertical ? crop.top : crop.left;
                       if (size <= 1) return std::nullopt;
                       const std::int64_t old = size;
                       size = part == 0 ? (old + 1) / 2 : part == 1 ? 1 : old - 1;
                       if (which % 4 >= 2) begin = old - size;
                       return keep(from, crops);
                     }});
  }
}

}  // namespace deformdiff
