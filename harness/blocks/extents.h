// Extents by name: what "B S M*D" says of a shape, and solving for names that it leaves open.
#pragma once

#include "blocks/block_definition.h"

#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// One axis: a product of numbers and of extents by name.
struct Axis {
  std::int64_t number = 1;
  std::vector<std::string> names;
};

/// What an extent measures, by its name: B images; Q and K elements of a sequence; S pixels of all levels
/// together; H and W the sides of a map, those of level l Hl and Wl. Any other is fixed by the model.
enum class ExtentRole : std::uint8_t { kBatch, kLength, kPixels, kHeight, kWidth, kFixed };
ExtentRole role_of(const std::string& extent);

/// "B S M*D" taken apart.
std::vector<Axis> parse_axes(const std::string& axes);

/// Values of extents, found one after another.
class ExtentSolver {
 public:
  explicit ExtentSolver(Extents known) : extents_(std::move(known)) {}

  /// Takes from `shape` what it says of extents not known yet: an axis with exactly one unknown factor is
  /// solved by division. True if something was learnt. A shape of another rank, or one that does not divide,
  /// says nothing: mismatch() will tell.
  bool learn(const std::string& axes, const Shape& shape);

  /// Why `shape` is not what `axes` say, "shape [40, 30] found, [F, M*D] = [40, 32] wanted"; empty if it is.
  std::string mismatch(const std::string& axes, const Shape& shape) const;

  const Extents& extents() const { return extents_; }

 private:
  /// The product of an axis' known factors; nullopt where it overflows.
  std::optional<std::int64_t> known_product(const Axis& axis) const;

  Extents extents_;
};

}  // namespace deformdiff
