// The maps of several resolutions that a sequence of pixels is made of.
#pragma once

#include "core/case.h"

#include <cstdint>
#include <vector>

namespace deformdiff {

struct LevelSize {
  std::int64_t height, width;
  std::int64_t pixels() const { return height * width; }
  friend bool operator==(const LevelSize&, const LevelSize&) = default;
};

/// The rows of spatial_shapes, int64 [L, 2]: height, then width. Throws InputError where one is below 1, or
/// their pixels together do not fit 64 bits.
std::vector<LevelSize> level_sizes(const Case& c);

std::int64_t total_pixels(const std::vector<LevelSize>& levels);

/// Where each level begins: 0, and the running sum of their pixels.
std::vector<std::int64_t> level_starts(const std::vector<LevelSize>& levels);

/// Throws InputError unless the case's levels fill `rows`, and level_start_index, int64 [L], is their running
/// sum: the references of the deep blocks go by spatial_shapes alone in places.
void check_levels(const Case& c, std::int64_t rows);

}  // namespace deformdiff
