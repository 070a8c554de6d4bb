// The ways in which the elements of one tensor may be those of another shape.
#pragma once

#include "core/view.h"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace deformdiff {

/// Views of a tensor of shape `from` that have shape `to`, one for each order of the axes in which its
/// elements may lie: the batch first or the length, channels in front, axes taken together or apart, and each
/// of `heads` apart where the first axis of `to` holds batch times heads or the last one the channels of all
/// heads. Empty if the number of elements is another.
std::vector<View> arrangements(const Shape& from, const Shape& to, std::int64_t heads);

/// The same, worked out once for each pair of shapes.
class ViewCache {
 public:
  const std::vector<View>& views(const Shape& from, const Shape& to, std::int64_t heads);

 private:
  std::map<std::tuple<Shape, Shape, std::int64_t>, std::vector<View>> views_;
};

}  // namespace deformdiff
