// Products of matrices in the oracle's arithmetic: of rows [R, K] with columns [K, C], each element's value,
// the sum over k of a_k b_k, and the sum of |a_k| |b_k|. float is summed in double, double in more than that.
#pragma once

#include "oracles/operations/element.h"

#include <cstdint>
#include <vector>

namespace deformdiff::operation {

/// Rows or columns that one call of the kernel takes at once.
constexpr std::int64_t kRowsAtOnce = 6;
constexpr std::int64_t kColumnsAtOnce = 8;

/// Vectors of length K (rows of the left matrix, or columns of the right one), in groups of kAtOnce vectors
/// whose k-th elements lie beside each other; missing vectors are zero.
template <typename T, std::int64_t kAtOnce>
class Packed {
 public:
  Packed() = default;
  /// All zero.
  Packed(std::int64_t vectors, std::int64_t length);

  void set(std::int64_t vector, std::int64_t k, T value) {
    const std::size_t at = place(vector, k);
    values_[at] = value;
    magnitudes_[at] = std::abs(value);
  }
  /// Call after all are set: counts what summary() has to tell of each vector.
  void finish();

  double get(std::int64_t vector, std::int64_t k) const { return values_[place(vector, k)]; }
  const double* values(std::int64_t group) const { return values_.data() + group * length_ * kAtOnce; }
  const T* magnitudes(std::int64_t group) const { return magnitudes_.data() + group * length_ * kAtOnce; }
  std::int64_t length() const { return length_; }
  std::int64_t vectors() const { return vectors_; }

  struct Summary {
    double nonzero = 0;  ///< elements that are not 0
    double largest = 0;  ///< magnitude
    bool finite = true;
  };
  const Summary& summary(std::int64_t vector) const { return summaries_[static_cast<std::size_t>(vector)]; }

 private:
  static_assert(kAtOnce > 0);
  std::size_t place(std::int64_t vector, std::int64_t k) const {
    const auto v = static_cast<std::size_t>(vector);
    constexpr auto at_once = static_cast<std::size_t>(kAtOnce);
    return (v / at_once * static_cast<std::size_t>(length_) + static_cast<std::size_t>(k)) * at_once +
           v % at_once;
  }
  std::int64_t vectors_ = 0, length_ = 0;
  std::vector<double> values_;
  std::vector<T> magnitudes_;
  std::vector<Summary> summaries_;
};

template <typename T>
using PackedRows = Packed<T, kRowsAtOnce>;
template <typename T>
using PackedColumns = Packed<T, kColumnsAtOnce>;

/// The products of kRowsAtOnce rows with kColumnsAtOnce columns.
template <typename T>
struct Block {
  Wide<T> values[kRowsAtOnce * kColumnsAtOnce];
  T magnitudes[kRowsAtOnce * kColumnsAtOnce];  ///< sums of |a| |b|, rounded in any way
};

/// out[r][c] = sum over k of a[k][r] b[k][c], kRowsAtOnce x kColumnsAtOnce of them, in more than double.
void multiply_values(const double* a, const double* b, std::int64_t length, long double* out);

/// Products of group `row_group` of `rows` with group `column_group` of `columns`. The values' error is below
/// K 2^-52 (float) or K 2^-63 (double) times the sum of magnitudes.
void multiply(const PackedRows<float>& rows, std::int64_t row_group, const PackedColumns<float>& columns,
              std::int64_t column_group, Block<float>& block);
void multiply(const PackedRows<double>& rows, std::int64_t row_group, const PackedColumns<double>& columns,
              std::int64_t column_group, Block<double>& block);

extern template class Packed<float, kRowsAtOnce>;
extern template class Packed<float, kColumnsAtOnce>;
extern template class Packed<double, kRowsAtOnce>;
extern template class Packed<double, kColumnsAtOnce>;

}  // namespace deformdiff::operation
