// Elements of a draft's tensors made simpler.
#pragma once

#include "generators/shrink/draft.h"
#include "generators/shrink/number_rank.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// A way to simpler elements. `index` is an element's row-major index in its tensor.
struct Simplify {
  /// What an element may become.
  std::function<double(double element, std::int64_t index)> change;
  /// Less is simpler.
  std::function<NumberRank(double element, std::int64_t index)> rank = [](double element, std::int64_t) {
    return rank_of(element);
  };
};

/// Every element `value`.
Simplify constant(double value);

/// Small numbers of their own for neighbours, or for neighbouring runs: enough for a fault that a constant
/// hides.
Simplify small_numbers(std::int64_t run = 1);

/// number_roundings().
std::vector<Simplify> roundings();

/// Places among the elements of all floating and bool tensors, laid end to end.
struct ElementRange {
  std::int64_t first, last;
  std::int64_t size() const { return last - first; }
};

/// Where each floating or bool tensor lies that may change, in the order of the inputs.
std::vector<ElementRange> tensor_ranges(const Draft& draft);

/// Where one of them lies.
ElementRange range_of(const Draft& draft, const std::string& input);

/// All of them.
ElementRange all_elements(const Draft& draft);

/// The elements of a range, each changed where that makes it simpler. Elements that repeat others by an axis
/// of stride 0 are left: they follow. Nothing if none changes.
std::optional<Draft> simplified(const Draft& draft, ElementRange range, const Simplify& by);

}  // namespace deformdiff
