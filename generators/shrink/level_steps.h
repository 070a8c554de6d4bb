// Steps that leave some of the levels of spatial_shapes, or a part of each.
#pragma once

#include "generators/shrink/steps.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace deformdiff {

/// A level cut to `height` x `width` pixels from (top, left).
struct Crop {
  std::size_t level;
  std::int64_t top, height, left, width;
};

/// Every level of spatial_shapes whole; none where the block has no such input.
std::vector<Crop> whole_levels(const Draft& draft);

/// Those of `levels` whole.
std::vector<Crop> whole_levels(const Draft& draft, const Indices& levels);

/// Appends the rows of a crop's pixels, of a level that begins at row `start` and is `width` pixels wide.
void append_rows(const Crop& crop, std::int64_t start, std::int64_t width, Indices& rows);

/// Only the levels of `crops`, cut: `rows` of extent S make the new one, in which the levels begin at
/// `starts`.
Draft keep_rows(const Draft& draft, const std::vector<Crop>& crops, const Indices& starts,
                const Indices& rows);

/// Each map down to half, to one row or column, or by a single row or column, from either end.
void add_crops(const Draft& draft, const std::function<Draft(const Draft&, const std::vector<Crop>&)>& keep,
               Steps& steps);

}  // namespace deformdiff
