#include "oracles/ms_deform_attn/backward/inputs.h"

#include "core/dtype_dispatch.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {

template <typename T>
OutputGradient<T>::OutputGradient(const Tensor& gradient, const Dims& dims) : dims_(dims) {
  const Tensor dense = gradient.contiguous();
  const std::span<const T> values = dense.values<T>();
  raw_.assign(values.begin(), values.end());
  rows_ = raw_;
  for (T& g : rows_) {
    if (!std::isfinite(g)) {
      has_nonfinite_ = true;
      g = 0;
    }
    largest_ = std::max(largest_, static_cast<double>(std::fabs(g)));
  }
}

namespace {

template <typename T>
std::optional<Grid> grid_of(std::span<const T> numbers, const Rounding& rounding) {
  Grid grid;
  for (const T t : numbers) {
    grid.add(static_cast<double>(t));
    if (grid.digits > rounding.precision) return std::nullopt;
  }
  return grid;
}

BackwardProblem parse_in(DType dtype, const Case& c) {
  BackwardProblem problem = parse_backward(c);
  if (problem.forward.dtype != dtype) {
    throw InputError(fmt::format("block {}: value is {}, {} wanted", c.block, name_of(problem.forward.dtype),
                                 name_of(dtype)));
  }
  return problem;
}

}  // namespace

template <typename T>
BackwardInputs<T>::BackwardInputs(const Case& c, DType format, const Precision& precision,
                                  const Contract& contract)
    : BackwardInputs(parse_in(kDTypeOf<T>, c), format, precision, contract) {}

template <typename T>
BackwardInputs<T>::BackwardInputs(const BackwardProblem& problem, DType format, const Precision& precision,
                                  const Contract& contract)
    : forward_(problem.forward, contract),
      gradient_(problem.grad_output, forward_.dims()),
      rounding_(rounding_of(format, precision)),
      coordinates_(precision.coordinates),
      contract_(contract) {
  std::int64_t longest = 1;
  for (std::int64_t l = 0; l < dims().L; ++l) {
    const Level& level = forward_.level(l);
    locators_.push_back({{level.width, coordinates_, rounding_}, {level.height, coordinates_, rounding_}});
    longest = std::max({longest, level.width, level.height});
  }
  special_ = forward_.has_nonfinite() || gradient_.has_nonfinite() ||
             coordinate_may_overflow(forward_.largest_location(), longest, rounding_);
  if (special_) return;
  value_grid_ = grid_of(forward_.rows(), rounding_);
  gradient_grid_ = grid_of(gradient_.rows(), rounding_);
}

template <typename T>
bool BackwardInputs<T>::locate(const GroupIndex& group, std::int64_t l, std::int64_t p,
                               Point<Scalar>& point) const {
  const T* location = forward_.location(group.n, group.q, group.m, l, p);
  if (!std::isfinite(location[0]) || !std::isfinite(location[1])) return false;
  const Locators& locators = locators_[static_cast<std::size_t>(l)];
  point = {};
  locators.x.locate(location[0], point.x);
  locators.y.locate(location[1], point.y);
  const T weight = forward_.weight(group.n, group.q, group.m, l, p);
  point.level = l;
  point.point = p;
  point.weight = std::isfinite(weight) ? static_cast<double>(weight) : 0;
  return true;
}

template <typename T>
double BackwardInputs<T>::gradient_roundings(const GroupIndex& group) const {
  const std::span<const T> row = gradient_.row(group);
  return std::all_of(row.begin(), row.end(), [](T g) { return is_power_of_two(static_cast<double>(g)); }) ? 0
                                                                                                          : 1;
}

template class OutputGradient<float>;
template class OutputGradient<double>;
template class BackwardInputs<float>;
template class BackwardInputs<double>;

}  // namespace deformdiff::ms_deform_attn
