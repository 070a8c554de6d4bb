// Products of matrices in the oracle's arithmetic: each element's value, and the sum of its terms'
// magnitudes.
#pragma once

#include "oracles/operations/element.h"

#include <cstdint>
#include <vector>

namespace deformdiff::operation {

/// Rows or columns that one call of the kernel takes at once.
constexpr std::int64_t kRowsAtOnce = 6;
constexpr std::int64_t kColumnsAtOnce = 8;

/// What magnitudes are summed in: float's own range is enough for products of floats that matter.
template <typename T>
using Magnitude = T;

/// Vectors of length K (rows of the left matrix, or columns of the right one), in groups of `at_once` vectors
/// whose k-th elements lie beside each other; missing vectors are zero.
template <typename T>
class Packed {
 public:
  /// All zero.
  Packed(std::int64_t vectors, std::int64_t length, std::int64_t at_once);

  void set(std::int64_t vector, std::int64_t k, T value) {
    const std::size_t at = place(vector, k);
    values_[at] = value;
    magnitudes_[at] = std::abs(value);
  }
  /// Call after all are set: counts what finish() has to tell of each vector.
  void finish();

  double get(std::int64_t vector, std::int64_t k) const { return values_[place(vector, k)]; }
  const double* values(std::int64_t group) const { return values_.data() + group * length_ * at_once_; }
  const Magnitude<T>* magnitudes(std::int64_t group) const {
    return magnitudes_.data() + group * length_ * at_once_;
  }
  std::int64_t length() const { return length_; }
  std::int64_t vectors() const { return vectors_; }

  struct Summary {
    double nonzero = 0;  ///< elements that are not 0
    double largest = 0;  ///< magnitude
    bool finite = true;
  };
  const Summary& summary(std::int64_t vector) const { return summaries_[static_cast<std::size_t>(vector)]; }

  /// Bytes that so many vectors need.
  static std::int64_t bytes(std::int64_t vectors, std::int64_t length) {
    return vectors * length * static_cast<std::int64_t>(sizeof(double) + sizeof(Magnitude<T>));
  }

 private:
  std::size_t place(std::int64_t vector, std::int64_t k) const {
    return static_cast<std::size_t>((vector / at_once_ * length_ + k) * at_once_ + vector % at_once_);
  }
  std::int64_t vectors_, length_, at_once_;
  std::vector<double> values_;
  std::vector<Magnitude<T>> magnitudes_;
  std::vector<Summary> summaries_;
};

/// The products of kRowsAtOnce rows with kColumnsAtOnce columns.
template <typename T>
struct Block {
  Wide<T> values[kRowsAtOnce * kColumnsAtOnce];
  Magnitude<T> magnitudes[kRowsAtOnce * kColumnsAtOnce];  ///< sums of |a| |b|, rounded in any way
};

/// Products of group `row_group` of `rows` with group `column_group` of `columns`. The values' error is below
/// K 2^-52 (float) or K 2^-63 (double) times the sum of magnitudes.
void multiply(const Packed<float>& rows, std::int64_t row_group, const Packed<float>& columns,
              std::int64_t column_group, Block<float>& block);
void multiply(const Packed<double>& rows, std::int64_t row_group, const Packed<double>& columns,
              std::int64_t column_group, Block<double>& block);

extern template class Packed<float>;
extern template class Packed<double>;

}  // namespace deformdiff::operation
