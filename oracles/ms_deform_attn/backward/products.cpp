#include "oracles/ms_deform_attn/backward/products.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

template <typename T>
Product<Wide<T>> product_of(const T* value, std::span<const T> gradient) {
  Product<Wide<T>> product;
  for (std::size_t d = 0; d < gradient.size(); ++d) {
    const Wide<T> term = static_cast<Wide<T>>(gradient[d]) * static_cast<Wide<T>>(value[d]);
    const double g = std::fabs(static_cast<double>(gradient[d])),
                 v = std::fabs(static_cast<double>(value[d]));
    const double counts = g != 0 && v != 0 ? 1 : 0;
    product.value += term;
    product.magnitude += g * v;
    product.terms += counts;
    product.scale += counts * ((1 + g) * (1 + v));
  }
  return product;
}

}  // namespace

template <typename T>
void ProductBlock<T>::load(const BackwardInputs<T>& inputs, const GroupIndex& group, std::int64_t level,
                           const CellRange& columns, const CellRange& rows) {
  first_x_ = columns.first;
  first_y_ = rows.first;
  width_ = columns.last - columns.first + 2;
  products_.clear();
  const std::span<const T> gradient = inputs.gradient().row(group);
  for (std::int64_t y = rows.first; y <= rows.last + 1; ++y) {
    for (std::int64_t x = columns.first; x <= columns.last + 1; ++x) {
      products_.push_back(inputs.forward().inside(level, y, x)
                              ? product_of(inputs.forward().pixel(group.n, group.m, level, y, x), gradient)
                              : Product<Scalar>{});
    }
  }
}

template <typename T>
double ProductBlock<T>::underflow_scale() const {
  double sum = 0;
  for (const auto& product : products_) sum += product.scale;
  return sum;
}

template <typename T>
double ProductBlock<T>::magnitude() const {
  double sum = 0;
  for (const auto& product : products_) sum += product.magnitude;
  return sum;
}

template <typename T>
double ProductBlock<T>::terms() const {
  double most = 0;
  for (const auto& product : products_) most = std::max(most, product.terms);
  return most;
}

template <typename T>
double largest_partial(const BackwardInputs<T>& inputs, const GroupIndex& group, std::int64_t level,
                       const CellRange& columns, const CellRange& rows, double factor) {
  const std::span<const T> gradient = inputs.gradient().row(group);
  double sum = 0, most = 0;
  for (std::size_t d = 0; d < gradient.size(); ++d) {
    const double g = std::fabs(static_cast<double>(gradient[d]));
    double largest = 0;
    for (std::int64_t y = rows.first; y <= rows.last; ++y) {
      for (std::int64_t x = columns.first; x <= columns.last; ++x) {
        double cell = 0;
        for (const T* corner : inputs.forward().corners(group.n, group.m, level, y, x))
          cell += std::fabs(static_cast<double>(corner[d]));
        largest = std::max(largest, cell);
      }
    }
    most = std::max({most, largest, g * factor});
    sum += g * largest;
  }
  return std::max(most, sum * factor);
}

template class ProductBlock<float>;
template class ProductBlock<double>;
template double largest_partial(const BackwardInputs<float>&, const GroupIndex&, std::int64_t,
                                const CellRange&, const CellRange&, double);
template double largest_partial(const BackwardInputs<double>&, const GroupIndex&, std::int64_t,
                                const CellRange&, const CellRange&, double);

}  // namespace deformdiff::ms_deform_attn
