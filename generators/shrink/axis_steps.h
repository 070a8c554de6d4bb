// Steps that leave some of what a draft has several of.
#pragma once

#include "generators/shrink/steps.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// Something that a draft has several of: an extent, levels, maps, layers.
struct ShrinkAxis {
  std::int64_t size;
  std::function<Draft(const Draft&, const Indices&)> keep;
  std::int64_t least = 1;  ///< steps leave no fewer
  std::string extent;      ///< of that name, which may follow another one; empty for what is no extent
};
using ShrinkAxes = std::vector<ShrinkAxis>;

/// Index 0 of every axis, or the last; an axis that the block does not let go so far is left alone. Nothing
/// if all are.
std::optional<Draft> single_everything(const Draft& draft, const ShrinkAxes& axes, bool last);

/// Each axis to none where that may be, and to either half; with `one_first`, to index 0 before the halves.
void add_halves(const ShrinkAxes& axes, bool one_first, Steps& steps);

/// A quarter, an eighth, ... one index off either end of each axis.
void add_trims(const ShrinkAxes& axes, Steps& steps);

/// Each axis without one chunk: of a quarter, an eighth, ... one index.
void add_drops(const ShrinkAxes& axes, Steps& steps);

}  // namespace deformdiff
