// Estimated bounds: draws from the admissible set of a value that nobody saw, and how far they widen what
// follows from it. Method and numbers: oracles/README.md, "Estimated bounds".
#pragma once

#include "core/random.h"
#include "core/reference.h"
#include "core/tensor.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace deformdiff {

/// Draws a value has. The more, the narrower the estimate.
constexpr std::size_t kDraws = 16;
constexpr std::size_t kEnds = 2;

constexpr double kFalseAlarm = 1e-9;

/// How far a correct value may be from the middle of kDraws draws, in their root mean square distance, so
/// that a false alarm among `elements` has probability kFalseAlarm: the two-sided quantile of Student's t
/// with kDraws degrees of freedom.
double estimate_factor(std::int64_t elements);

/// The middle of the set.
Tensor middle_of(const OutputReference& output);

/// Value `draw` of kDraws at random from the set: uniform in the interval. Of a free bit, either. Of several
/// kinds of number, each in some of the draws. Where anything may be, a NaN, which shows wherever it gets to.
Tensor draw_from(const OutputReference& output, const CounterRandom& random, std::size_t draw);

/// At least the distance from a value to the next numbers of a floating type.
double step_at(DType dtype, double value);

/// Appends the ends of the set to its draws.
void add_ends(const OutputReference& output, std::vector<Tensor>& draws);

/// Widens the middle's set by how far the draws' values lie from it.
class Widening {
 public:
  /// `middle` must outlive this.
  explicit Widening(OutputReference& middle);

  /// `varied`: whether what it was computed from differs from what the middle was computed from.
  void add(const OutputReference& draw, bool varied);
  void apply();  ///< to the middle, after all draws

 private:
  OutputReference& middle_;
  std::vector<long double> squares_;
  std::vector<double> bounds_;
  std::vector<std::uint8_t> admits_;
  std::size_t draws_ = 0;
  bool varied_ = false;
};

/// Counts the elements whose estimated set is narrow beside the typical size of the first output, and says in
/// `vacuous` if they are too few, or all zero, for an agreement to prove something.
void count_telling(Reference& reference);

}  // namespace deformdiff
