// What linear, conv2d, matmul and attention_scores share: from products to elements.
#pragma once

#include "oracles/operations/evaluator.h"
#include "oracles/operations/product.h"

namespace deformdiff::operation {

/// Groups of products [G, rows, K] x [G, K, columns] + bias -> [G, rows, columns], in tiles of the output.
/// The side with fewer vectors is packed once; a tile is long along it, and packs its part of the other side.
/// Values and bounds: README, "Products".
template <typename T>
class ProductEvaluator : public Evaluator<T> {
 public:
  void prepare(int threads) override;
  std::int64_t tiles() const final { return groups_ * row_tiles() * column_tiles(); }
  Tile tile(std::int64_t index) const final;
  std::int64_t tile_of(std::int64_t element) const final;
  void evaluate(std::int64_t index, Element<T>* elements) const final;
  std::vector<std::string> describe(std::int64_t element) const override;
  double coarsest_unit() const final;

 protected:
  /// `rows` and `columns` are those of one group; the output is groups x rows x columns.
  ProductEvaluator(const Setting& setting, Shape shape, std::int64_t groups, std::int64_t rows,
                   std::int64_t columns, std::int64_t length, bool has_bias);

  /// Packs rows or columns [first, first + packed.vectors()) of a group.
  virtual void pack_rows(std::int64_t group, std::int64_t first, PackedRows<T>& packed) const = 0;
  virtual void pack_columns(std::int64_t group, std::int64_t first, PackedColumns<T>& packed) const = 0;
  virtual T bias(std::int64_t /*row*/, std::int64_t /*column*/) const { return 0; }
  /// Whether the element is -inf instead.
  virtual bool blocked(std::int64_t /*group*/, std::int64_t /*row*/, std::int64_t /*column*/) const {
    return false;
  }
  /// What the element may be beside `out`, where the sum is computed in another way too.
  virtual void widen(std::int64_t /*group*/, std::int64_t /*row*/, std::int64_t /*column*/,
                     Element<T>& /*out*/) const {}
  std::int64_t length() const { return length_; }
  /// Relative to the sum of magnitudes. In the dtype itself the margin of all terms makes it rigorous.
  double lost_in_sums(double additions) const;

 private:
  std::int64_t row_tiles() const;
  std::int64_t column_tiles() const;
  struct Place {
    std::int64_t group, row, column;
  };
  Place first_of(std::int64_t index) const;
  /// Vectors of one side, the first of which is number `first` of `packed`.
  template <std::int64_t kAtOnce>
  struct Side {
    const Packed<T, kAtOnce>& packed;
    std::int64_t first;
    const auto& summary(std::int64_t vector) const { return packed.summary(first + vector); }
    double get(std::int64_t vector, std::int64_t k) const { return packed.get(first + vector, k); }
  };
  using Rows = Side<kRowsAtOnce>;
  using Columns = Side<kColumnsAtOnce>;
  void evaluate(const Tile& tile, const Place& place, const Rows& rows, const Columns& columns,
                Element<T>* elements) const;
  void finite(const Rows& rows, std::int64_t row, const Columns& columns, std::int64_t column, T bias,
              Wide<T> value, double magnitude, Element<T>& out) const;
  void nonfinite(const Rows& rows, std::int64_t row, const Columns& columns, std::int64_t column, T bias,
                 Element<T>& out) const;

  std::int64_t groups_, rows_, columns_, length_;
  bool has_bias_, packs_rows_;
  std::int64_t tile_rows_, tile_columns_;
  std::vector<PackedRows<T>> all_rows_;  ///< of each group; one of these is empty
  std::vector<PackedColumns<T>> all_columns_;
};

extern template class ProductEvaluator<float>;
extern template class ProductEvaluator<double>;

}  // namespace deformdiff::operation
