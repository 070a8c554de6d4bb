#include "oracles/operations/product_evaluator.h"

#include "oracles/arithmetic/parallel.h"

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Elements of a tile, and the longest side along the vectors that are packed once.
constexpr std::int64_t kTileElements = 8192;
constexpr std::int64_t kLongSide = 512;

std::int64_t quotient_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// About `wanted` of `count` vectors: a multiple of `at_once`, in parts of even size.
std::int64_t side_of(std::int64_t count, std::int64_t wanted, std::int64_t at_once) {
  const std::int64_t parts = quotient_up(std::max<std::int64_t>(count, 1), std::max(wanted, at_once));
  return quotient_up(quotient_up(std::max<std::int64_t>(count, 1), parts), at_once) * at_once;
}

}  // namespace

template <typename T>
ProductEvaluator<T>::ProductEvaluator(const Setting& setting, Shape shape, std::int64_t groups,
                                      std::int64_t rows, std::int64_t columns, std::int64_t length,
                                      bool has_bias)
    : Evaluator<T>(setting, std::move(shape), static_cast<double>(length) + 3),
      groups_(groups),
      rows_(rows),
      columns_(columns),
      length_(length),
      has_bias_(has_bias),
      packs_rows_(rows < columns) {
  if (packs_rows_) {
    tile_rows_ = side_of(rows, kLongSide, kRowsAtOnce);
    tile_columns_ = side_of(columns, kTileElements / tile_rows_, kColumnsAtOnce);
  } else {
    tile_columns_ = side_of(columns, kLongSide, kColumnsAtOnce);
    tile_rows_ = side_of(rows, kTileElements / tile_columns_, kRowsAtOnce);
  }
}

template <typename T>
void ProductEvaluator<T>::prepare(int threads) {
  const auto groups = static_cast<std::size_t>(element_count(this->shape_) == 0 ? 0 : groups_);
  (packs_rows_ ? all_rows_.resize(groups) : all_columns_.resize(groups));
  for_each_chunk(static_cast<std::int64_t>(groups), threads, [&](std::int64_t group) {
    const auto at = static_cast<std::size_t>(group);
    if (packs_rows_) {
      all_rows_[at] = PackedRows<T>(rows_, length_);
      pack_rows(group, 0, all_rows_[at]);
      all_rows_[at].finish();
    } else {
      all_columns_[at] = PackedColumns<T>(columns_, length_);
      pack_columns(group, 0, all_columns_[at]);
      all_columns_[at].finish();
    }
  });
}

template <typename T>
std::int64_t ProductEvaluator<T>::row_tiles() const {
  return quotient_up(rows_, tile_rows_);
}

template <typename T>
std::int64_t ProductEvaluator<T>::column_tiles() const {
  return quotient_up(columns_, tile_columns_);
}

template <typename T>
auto ProductEvaluator<T>::first_of(std::int64_t index) const -> Place {
  const std::int64_t column = index % column_tiles(), row = index / column_tiles() % row_tiles();
  return {index / column_tiles() / row_tiles(), row * tile_rows_, column * tile_columns_};
}

template <typename T>
Tile ProductEvaluator<T>::tile(std::int64_t index) const {
  const auto [group, row, column] = first_of(index);
  return {(group * rows_ + row) * columns_ + column, std::min(tile_rows_, rows_ - row),
          std::min(tile_columns_, columns_ - column), columns_};
}

template <typename T>
std::int64_t ProductEvaluator<T>::tile_of(std::int64_t element) const {
  const std::int64_t column = element % columns_, row = element / columns_ % rows_;
  return (element / columns_ / rows_ * row_tiles() + row / tile_rows_) * column_tiles() +
         column / tile_columns_;
}

template <typename T>
std::vector<std::string> ProductEvaluator<T>::describe(std::int64_t element) const {
  const std::int64_t column = element % columns_, row = element / columns_ % rows_;
  return {fmt::format("row {}, column {} of product {}; sum of {} products{}", row, column,
                      element / columns_ / rows_, length_, has_bias_ ? " and a bias" : "")};
}

template <typename T>
void ProductEvaluator<T>::evaluate(std::int64_t index, Element<T>* elements) const {
  const Place place = first_of(index);
  const Tile part = tile(index);
  const auto group = static_cast<std::size_t>(place.group);
  if (packs_rows_) {
    PackedColumns<T> columns(part.columns, length_);
    pack_columns(place.group, place.column, columns);
    columns.finish();
    evaluate(part, place, Rows{all_rows_[group], place.row}, Columns{columns, 0}, elements);
  } else {
    PackedRows<T> rows(part.rows, length_);
    pack_rows(place.group, place.row, rows);
    rows.finish();
    evaluate(part, place, Rows{rows, 0}, Columns{all_columns_[group], place.column}, elements);
  }
}

template <typename T>
void ProductEvaluator<T>::evaluate(const Tile& part, const Place& place, const Rows& rows,
                                   const Columns& columns, Element<T>* elements) const {
  // The magnitudes were summed with rounding, in float with underflow: K 2^-149 is more than that loses.
  const auto length = static_cast<double>(length_);
  const Rounding own = rounding_of(kDTypeOf<T>, {});
  const double inflate = second_order_factor(2 * (length + 2), own.unit) * (1 + 2 * (length + 2) * own.unit);
  const double lost = 2 * length * own.underflow;
  Block<T> block;
  for (std::int64_t r = 0; r < part.rows; r += kRowsAtOnce) {
    for (std::int64_t c = 0; c < part.columns; c += kColumnsAtOnce) {
      multiply(rows.packed, (rows.first + r) / kRowsAtOnce, columns.packed,
               (columns.first + c) / kColumnsAtOnce, block);
      for (std::int64_t row = r; row < std::min(part.rows, r + kRowsAtOnce); ++row) {
        for (std::int64_t column = c; column < std::min(part.columns, c + kColumnsAtOnce); ++column) {
          const std::int64_t at = (row - r) * kColumnsAtOnce + column - c;
          Element<T>& out = elements[row * part.columns + column];
          const T shift = has_bias_ ? bias(place.row + row, place.column + column) : T(0);
          if (!rows.summary(row).finite || !columns.summary(column).finite || !std::isfinite(shift)) {
            nonfinite(rows, row, columns, column, shift, out);
          } else {
            finite(rows, row, columns, column, shift, block.values[at],
                   block.magnitudes[at] == 0 && lost == 0 ? 0 : block.magnitudes[at] * inflate + lost, out);
          }
          widen(place.group, place.row + row, place.column + column, out);
          if (!blocked(place.group, place.row + row, place.column + column)) continue;
          // A score that may overflow may be +inf: minus infinity, added to that, is NaN.
          const bool surely_finite =
              out.admits == kAdmitsFinite && 2 * out.magnitude < this->rounding().largest;
          const std::uint8_t kinds = surely_finite ? kAdmitsMinusInf : kAdmitsMinusInf | kAdmitsNan;
          out = {};
          out.admits = kinds;
        }
      }
    }
  }
}

template <typename T>
double ProductEvaluator<T>::coarsest_unit() const {
  const MatrixHardware& matrix = this->setting().matrix;
  return std::max({this->unit(), matrix.sum_unit, matrix.operand_error / 2});
}

template <typename T>
double ProductEvaluator<T>::lost_in_sums(double additions) const {
  const double unit = this->setting().matrix.sum_unit, first = additions * unit;
  return unit == this->unit() ? first : first * second_order_factor(additions, unit);
}

/// A term passes its product and at most as many additions as there are other terms (Higham 4.2); additions
/// of 0 are exact.
template <typename T>
void ProductEvaluator<T>::finite(const Rows& rows, std::int64_t row, const Columns& columns,
                                 std::int64_t column, T bias, Wide<T> value, double magnitude,
                                 Element<T>& out) const {
  const auto& a = rows.summary(row);
  const auto& b = columns.summary(column);
  const double terms = std::min(a.nonzero, b.nonzero), shift = std::abs(static_cast<double>(bias));
  out.value = value + bias;
  out.magnitude = terms == 0 ? shift : magnitude + shift;
  const MatrixHardware& matrix = this->setting().matrix;
  // A bias that comes in through another type's sum rounds even where nothing is added to it.
  const double rounded_bias = matrix.sum_unit != this->unit() && bias != 0 ? 1 : 0;
  if (terms == 0 && rounded_bias == 0) return;
  const double additions = std::max(0.0, matrix.parts * terms - 1 + (bias != 0 ? 1 : 0));
  out.terms[kOperands] = matrix.operand_error * magnitude;
  // The products' own magnitudes are as far off as they are; of several that stand for one the smaller ones
  // add up to less than 2^-5 of it.
  const double added = out.magnitude * (matrix.parts > 1 ? 1 + 0x1p-5 : 1) + out.terms[kOperands];
  out.terms[kAccumulation] = this->lost_in_sums(additions) * added;
  out.terms[kRounding] = matrix.sum_unit * (magnitude + out.terms[kOperands] + rounded_bias * shift);
  if (!(added + out.terms[kAccumulation] <= matrix.largest_sum)) return admit_anything(out);
  out.terms[kUnderflow] =
      terms * matrix.operand_underflow * (a.largest + b.largest + matrix.operand_underflow) +
      rounded_bias * matrix.sum_underflow +
      matrix.parts * terms * (matrix.sum_underflow + this->flush() * (2 + a.largest + b.largest));
}

/// Each product's kind decides: NaN with anything is NaN, infinities of both signs too.
template <typename T>
void ProductEvaluator<T>::nonfinite(const Rows& rows, std::int64_t row, const Columns& columns,
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
  if (kinds == 0 || !(magnitude < this->setting().matrix.largest_sum / 2)) {
    if (std::isnan(kinds)) return demand<T>(kinds, out);
    return admit_anything(out);
  }
  demand<T>(kinds, out);
}

template class ProductEvaluator<float>;
template class ProductEvaluator<double>;

}  // namespace deformdiff::operation
