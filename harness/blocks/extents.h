// Extents by name: what "B S M*D" says of a shape, and solving for names that it leaves open.
#pragma once

#include "blocks/block_definition.h"

#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// What an extent measures, by its name: B images; Q and K elements of a sequence; S pixels of all levels
/// together; H and W the sides of a map, those of level l Hl and Wl. Any other is fixed by the model.
enum class ExtentRole : std::uint8_t { kBatch, kLength, kPixels, kHeight, kWidth, kFixed };
ExtentRole role_of(const std::string& extent);

/// The factors of an axis, outermost first: names of extents, or numbers. "M*L*2" has three.
using Factors = std::vector<std::string>;

bool is_number(const std::string& factor);

/// "B S M*D" taken apart.
std::vector<Factors> parse_axes(const std::string& axes);

/// Whether an axis of the tensor is a product that has the extent.
bool has_extent(const TensorSpec& spec, const std::string& name);

/// What a factor stands for. Throws InternalError for a name that `extents` lacks.
std::int64_t value_of(const std::string& factor, const Extents& extents);

/// Throws InternalError for a name that `extents` lacks.
Shape shape_of(const TensorSpec& spec, const Extents& extents);

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
  bool is_known(const std::string& factor) const;

  /// The product of an axis' known factors; nullopt where it overflows.
  std::optional<std::int64_t> known_product(const Factors& axis) const;

  Extents extents_;
};

}  // namespace deformdiff
