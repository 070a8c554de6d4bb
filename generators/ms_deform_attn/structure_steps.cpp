#include "generators/ms_deform_attn/edits.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/steps.h"

#include <algorithm>

namespace deformdiff::ms_deform_attn {
namespace {

Draft keep(const Draft& draft, const std::string& extent, const Indices& indices) {
  return keep_extent(draft, draft.block->dimensions(draft.dense), extent, indices);
}

bool has_gaps(const Problem& problem) {
  std::int64_t covered = 0;
  for (const Level& level : problem.levels) covered += level.height * level.width;
  return covered != problem.dims.S;
}

Draft with_im2col_step(const Draft& draft, std::int64_t step) {
  Draft changed = draft;
  changed.dense.attributes["im2col_step"] = static_cast<double>(step);
  return changed;
}

}  // namespace

ShrinkAxes axes_by_size(const Draft& draft) {
  const Extents extents = draft.block->dimensions(draft.dense);
  ShrinkAxes axes;
  for (const char* name : {"N", "Q", "M", "P", "D"}) {
    const auto keep_indices = [name](const Draft& from, const Indices& indices) {
      return keep(from, name, indices);
    };
    axes.push_back({extents.at(name), keep_indices, 1, name});
  }
  const auto keep_whole = [](const Draft& from, const Indices& levels) {
    return keep_levels(from, whole_levels(from, levels), Points::kOnPixels, Gaps::kKept);
  };
  axes.push_back({extents.at("L"), keep_whole, 1, ""});
  std::ranges::stable_sort(axes, std::ranges::greater(), &ShrinkAxis::size);
  return axes;
}

Step small_batch_with_step() {
  return {2, [](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const std::int64_t step = which + 1;
            const std::int64_t batch = draft.dense.input("value").dim(0);
            if (batch <= step + 1) return std::nullopt;
            return with_im2col_step(keep(draft, "N", index_range(batch - step - 1, batch)), step);
          }};
}

Step simpler_im2col_step(const std::vector<std::int64_t>& steps) {
  return {static_cast<std::int64_t>(steps.size()),
          [steps](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const std::int64_t old = draft.dense.attribute("im2col_step");
            const std::int64_t step = steps[static_cast<std::size_t>(which)];
            if (step < 1 || old == 64 || (step != 64 && step >= old)) return std::nullopt;
            return with_im2col_step(draft, step);
          }};
}

Step crop_to_touched() {
  return {1, [](const Draft& draft, std::int64_t) -> std::optional<Draft> {
            const std::vector<Crop> parts = touched_parts(draft);
            const bool whole = std::ranges::equal(
                parts, whole_levels(draft),
                [](const Crop& a, const Crop& b) { return a.height == b.height && a.width == b.width; });
            if (whole) return std::nullopt;
            return keep_levels(draft, parts, Points::kOnPixels, Gaps::kKept);
          }};
}

Step tidy_levels() {
  return {2, [](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const Problem problem = parse(draft.dense);
            if (problem.has_consecutive_levels() || (which == 1 && !has_gaps(problem))) return std::nullopt;
            return keep_levels(draft, whole_levels(draft), Points::kInPlace,
                               which == 0 ? Gaps::kConsecutive : Gaps::kDropped);
          }};
}

void add_level_crops(const Draft& draft, Steps& steps) {
  for (const Points points : {Points::kOnPixels, Points::kInPlace}) {
    const auto keep_crops = [points](const Draft& from, const std::vector<Crop>& crops) {
      return keep_levels(from, crops, points, Gaps::kKept);
    };
    add_crops(draft, keep_crops, steps);
  }
}

Step transposition() {
  return {1, [](const Draft& draft, std::int64_t) -> std::optional<Draft> {
            std::optional<Draft> turned = transposed(draft);
            if (!turned || !is_simpler(case_of(*turned), case_of(draft))) return std::nullopt;
            return turned;
          }};
}

}  // namespace deformdiff::ms_deform_attn
