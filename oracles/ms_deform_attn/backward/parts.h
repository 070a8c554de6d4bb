// Bounds and points taken apart, for people.
#pragma once

#include "oracles/ms_deform_attn/group.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// For people: level, pixel coordinate and cell of a point.
template <typename Scalar>
std::string describe(const Point<Scalar>& point, const Level& level);

/// "interior", "border" or "outside".
template <typename Scalar>
std::string class_of(const Point<Scalar>& point, const Level& level);

/// What a bound is made of, before its margin.
struct BoundParts {
  double accumulation = 0, weights = 0, coordinates = 0, underflow = 0;

  double sum() const { return ((accumulation + weights) + coordinates) + underflow; }

  /// By name and sorted, with what the margin adds; all 0 if `exact`.
  std::vector<std::pair<std::string, double>> named(double margin, bool exact) const;
};

/// What an element may be, for people; empty for finite numbers alone.
std::string describe_kinds(std::uint8_t admits);

}  // namespace deformdiff::ms_deform_attn
