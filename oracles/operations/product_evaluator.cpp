#include "oracles/operations/product_evaluator.h"

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// A tile's sides: packing a side costs what multiplying it by one row or column costs, so both are long.
constexpr std::int64_t kTileRows = 16 * kRowsAtOnce;
constexpr std::int64_t kTileColumns = 16 * kColumnsAtOnce;

std::int64_t quotient_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

template <typename T>
std::int64_t ProductEvaluator<T>::row_tiles() const {
  return quotient_up(rows_, kTileRows);
}

template <typename T>
std::int64_t ProductEvaluator<T>::column_tiles() const {
  return quotient_up(columns_, kTileColumns);
}

template <typename T>
auto ProductEvaluator<T>::first_of(std::int64_t index) const -> Place {
  const std::int64_t column = index % column_tiles(), row = index / column_tiles() % row_tiles();
  return {index / column_tiles() / row_tiles(), row * kTileRows, column * kTileColumns};
}

template <typename T>
Tile ProductEvaluator<T>::tile(std::int64_t index) const {
  const auto [group, row, column] = first_of(index);
  return {(group * rows_ + row) * columns_ + column, std::min(kTileRows, rows_ - row),
          std::min(kTileColumns, columns_ - column), columns_};
}

template <typename T>
std::int64_t ProductEvaluator<T>::tile_of(std::int64_t element) const {
  const std::int64_t column = element % columns_, row = element / columns_ % rows_;
  return (element / columns_ / rows_ * row_tiles() + row / kTileRows) * column_tiles() +
         column / kTileColumns;
}

template <typename T>
std::int64_t ProductEvaluator<T>::working_memory() const {
  return Packed<T>::bytes(kTileRows + kTileColumns, length_);
}

template <typename T>
std::vector<std::string> ProductEvaluator<T>::describe(std::int64_t element) const {
  const std::int64_t column = element % columns_, row = element / columns_ % rows_;
  return {fmt::format("row {}, column {} of product {}; sum of {} products{}", row, column,
                      element / columns_ / rows_, length_, has_bias_ ? " and a bias" : "")};
}

template <typename T>
void ProductEvaluator<T>::evaluate(std::int64_t index, Element<T>* elements) const {
  const auto [group, first_row, first_column] = first_of(index);
  const Tile part = tile(index);
  Packed<T> rows(part.rows, length_, kRowsAtOnce), columns(part.columns, length_, kColumnsAtOnce);
  pack_rows(group, first_row, rows);
  pack_columns(group, first_column, columns);
  rows.finish();
  columns.finish();
  // The magnitudes were summed with rounding, in float with underflow: K 2^-149 is more than that loses.
  const auto length = static_cast<double>(length_);
  const Rounding own = rounding_of(std::is_same_v<T, float> ? DType::kFloat32 : DType::kFloat64, {});
  const double inflate = second_order_factor(2 * (length + 2), own.unit) * (1 + 2 * (length + 2) * own.unit);
  const double lost = 2 * length * own.underflow;
  Block<T> block;
  for (std::int64_t r = 0; r < part.rows; r += kRowsAtOnce) {
    for (std::int64_t c = 0; c < part.columns; c += kColumnsAtOnce) {
      multiply(rows, r / kRowsAtOnce, columns, c / kColumnsAtOnce, block);
      for (std::int64_t row = r; row < std::min(part.rows, r + kRowsAtOnce); ++row) {
        for (std::int64_t column = c; column < std::min(part.columns, c + kColumnsAtOnce); ++column) {
          const std::int64_t at = (row - r) * kColumnsAtOnce + column - c;
          Element<T>& out = elements[row * part.columns + column];
          const T shift = bias(first_row + row, first_column + column);
          if (!rows.summary(row).finite || !columns.summary(column).finite || !std::isfinite(shift)) {
            nonfinite(rows, row, columns, column, shift, out);
          } else {
            finite(rows, row, columns, column, shift, block.values[at],
                   block.magnitudes[at] == 0 && lost == 0 ? 0 : block.magnitudes[at] * inflate + lost, out);
          }
          if (!blocked(group, first_row + row, first_column + column)) continue;
          const std::uint8_t kinds =
              out.admits == kAdmitsFinite ? kAdmitsMinusInf : kAdmitsMinusInf | kAdmitsNan;
          out = {};
          out.admits = kinds;
        }
      }
    }
  }
}

/// A term passes its product and at most as many additions as there are other terms (Higham 4.2); additions
/// of 0 are exact.
template <typename T>
void ProductEvaluator<T>::finite(const Packed<T>& rows, std::int64_t row, const Packed<T>& columns,
                                 std::int64_t column, T bias, Wide<T> value, double magnitude,
                                 Element<T>& out) const {
  const auto& a = rows.summary(row);
  const auto& b = columns.summary(column);
  const double terms = std::min(a.nonzero, b.nonzero), shift = std::abs(static_cast<double>(bias));
  out.value = value + bias;
  out.magnitude = terms == 0 ? shift : magnitude + shift;
  if (terms == 0) return;
  const double additions = terms - 1 + (bias != 0 ? 1 : 0);
  out.terms[kAccumulation] = this->unit() * additions * out.magnitude;
  out.terms[kRounding] = this->unit() * magnitude;
  out.terms[kUnderflow] = terms * (this->underflow() + this->flush() * (2 + a.largest + b.largest));
}

/// Each product's kind decides: NaN with anything is NaN, infinities of both signs too.
template <typename T>
void ProductEvaluator<T>::nonfinite(const Packed<T>& rows, std::int64_t row, const Packed<T>& columns,
                                    std::int64_t column, T bias, Element<T>& out) const {
  double kinds = std::isfinite(bias) ? 0 : static_cast<double>(bias), magnitude = 0;
  for (std::int64_t k = 0; k < length_; ++k) {
    const double a = rows.get(row, k), b = columns.get(column, k);
    if (std::isfinite(a) && std::isfinite(b)) {
      magnitude += std::abs(a) * std::abs(b);
    } else {
      kinds += a * b;
    }
  }
  if (kinds == 0 || !(magnitude < this->rounding().largest / 2)) {
    if (std::isnan(kinds)) return demand<T>(kinds, out);
    return admit_anything(out);
  }
  demand<T>(kinds, out);
}

template class ProductEvaluator<float>;
template class ProductEvaluator<double>;

}  // namespace deformdiff::operation
