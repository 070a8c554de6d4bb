#include "oracles/ms_deform_attn/backward/inputs.h"

#include "core/dtype_dispatch.h"
#include "core/reference.h"

#include <algorithm>
#include <bit>
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

template <typename Scalar>
CellRange touched_cells(const AxisSample<Scalar>& axis, std::int64_t side) {
  if (axis.on_edge()) return {-1, -1};
  if (axis.on_far_edge(side)) return {side - 1, side - 1};
  if (axis.in_reach() && axis.on_pixel()) return {axis.cell - 1, axis.cell};
  return {axis.first, axis.last};
}

std::optional<int> fraction_digits(double location, std::int64_t side, const Rounding& rounding) {
  int digits = 0;
  if (!std::has_single_bit(static_cast<std::uint64_t>(side)) || !add_axis(location, side, rounding, digits))
    return std::nullopt;
  return digits;
}

CellErrors errors_in_cell(const AxisFractions& x, const AxisFractions& y, double products, double unit) {
  CellWeights weights;
  weights.set(0, x, y, 1);
  weights.attention[0] = products;
  TermRules rules;
  rules.counts = {1, 1};
  rules.unit = unit;
  CellTerms terms;
  fill_terms({&weights, 1}, rules, {&terms, 1});
  CellErrors errors{};
  for (std::size_t corner = 0; corner < 4; ++corner) {
    errors.magnitude[corner] = terms.magnitude[corner][0];
    errors.rounding[corner] = terms.absolute[corner][0];
  }
  return errors;
}

template <typename Scalar>
std::string describe(const Point<Scalar>& point, const Level& level) {
  return fmt::format(
      "level {} ({}x{}) point {}: attention weight {:.9g}, pixel x {:.9g} +- {:.2g}, y {:.9g} +- {:.2g}",
      point.level, level.height, level.width, point.point, point.weight,
      static_cast<double>(point.x.position), point.x.shift, static_cast<double>(point.y.position),
      point.y.shift);
}

template <typename Scalar>
std::string class_of(const Point<Scalar>& point, const Level& level) {
  if (!point.x.in_reach() || !point.y.in_reach()) return "outside";
  const bool interior = point.x.position >= 0 && point.y.position >= 0 &&
                        point.x.position <= static_cast<Scalar>(level.width - 1) &&
                        point.y.position <= static_cast<Scalar>(level.height - 1);
  return interior ? "interior" : "border";
}

std::vector<std::pair<std::string, double>> BoundParts::named(double margin, bool exact) const {
  const double kept = exact ? 0 : 1;
  std::vector<std::pair<std::string, double>> terms{{"accumulation", kept * accumulation},
                                                    {"weight rounding", kept * weights},
                                                    {"coordinate rounding", kept * coordinates},
                                                    {"underflow", kept * underflow},
                                                    {"second order and oracle", kept * sum() * (margin - 1)}};
  std::stable_sort(terms.begin(), terms.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return terms;
}

std::string describe_kinds(std::uint8_t admits) {
  if (admits == kAdmitsFinite) return "";
  if ((admits & kAdmitsAnything) != 0)
    return "intermediate results may overflow; the element may be anything";
  return fmt::format("inputs are not finite; the element may be:{}{}{}{}",
                     (admits & kAdmitsFinite) != 0 ? " finite" : "", (admits & kAdmitsNan) != 0 ? " nan" : "",
                     (admits & kAdmitsPlusInf) != 0 ? " +inf" : "",
                     (admits & kAdmitsMinusInf) != 0 ? " -inf" : "");
}

template class OutputGradient<float>;
template class OutputGradient<double>;
template class BackwardInputs<float>;
template class BackwardInputs<double>;
template CellRange touched_cells(const AxisSample<double>&, std::int64_t);
template CellRange touched_cells(const AxisSample<long double>&, std::int64_t);
template std::string describe(const Point<double>&, const Level&);
template std::string describe(const Point<long double>&, const Level&);
template std::string class_of(const Point<double>&, const Level&);
template std::string class_of(const Point<long double>&, const Level&);

}  // namespace deformdiff::ms_deform_attn
