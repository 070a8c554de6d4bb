// Cases of the operator and of its backward made from others by what is done to their axes and maps.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "core/relation.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// For each new index of an axis the old one; kAdded for one of zeros that is added.
using OldIndices = std::vector<std::int64_t>;
constexpr std::int64_t kAdded = -1;

/// A coordinate's new place: coordinate * scale + shift.
struct Move {
  double scale = 1, shift = 0;
};

struct AxisChange {
  /// By the axis' letter: N, S, M, D, Q, L, P, and 2 for the two coordinates of a point. Others stay.
  std::map<char, OldIndices> axes;
  std::vector<Level> levels;                 ///< the new ones; empty if they stay
  std::vector<std::array<Move, 2>> moves{};  ///< of points, by old level and coordinate; empty if they stay
};

/// The case with that done to it, and where its answer has the elements of the answer to `c`.
RelationTerm changed(const Case& c, const AxisChange& change);

/// The letters of the axes of an input or output, outermost first: "NQMD" of an output [N, Q, M*D].
std::string axes_of(const std::string& tensor);

/// The extents along these axes.
Shape extents_along(const std::string& axes, const Dims& dims);

}  // namespace deformdiff::ms_deform_attn
