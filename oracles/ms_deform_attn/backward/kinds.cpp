#include "oracles/ms_deform_attn/backward/kinds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr std::uint8_t kInfinities = kAdmitsPlusInf | kAdmitsMinusInf;

template <typename T>
bool all_finite(std::span<const T> numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](T t) { return std::isfinite(t); });
}

}  // namespace

template <typename T>
GradientKinds<T>::GradientKinds(const BackwardInputs<T>& inputs)
    : inputs_(inputs), judge_(inputs.forward(), inputs.rounding(), inputs.coordinates(), inputs.contract()) {}

/// A location that is no number, or may overflow to none: nothing, or a NaN wherever it falls.
template <typename T>
std::uint8_t GradientKinds<T>::lost() const {
  return kAdmitsFinite | (judge_.lost_location() & kAdmitsNan);
}

/// A slope outside the map: 0 times factors that are all finite or not.
template <typename T>
std::uint8_t GradientKinds<T>::skipped(bool finite) const {
  std::uint8_t set = kAdmitsFinite;
  if (!finite) set |= judge_.outside(std::numeric_limits<T>::quiet_NaN());
  return set;
}

template <typename T>
void GradientKinds<T>::add_lost(std::int64_t level, std::span<std::uint8_t> admits) const {
  const Level& map = inputs_.forward().level(level);
  const auto channels = inputs_.dims().D;
  for (std::int64_t i = map.start * channels; i < (map.start + map.height * map.width) * channels; ++i) {
    std::uint8_t& set = admits[static_cast<std::size_t>(i)];
    set = sum_of(set, lost());
  }
}

/// A factor that is not finite times the weight of a pixel, which may lie in some of the cells that code may
/// use and not in others.
template <typename T>
std::uint8_t GradientKinds<T>::at_pixel(const Point<Scalar>& at, std::int64_t x, std::int64_t y,
                                        T factor) const {
  const Level& level = inputs_.forward().level(at.level);
  const auto columns = judge_.cells(at.x, level.width), rows = judge_.cells(at.y, level.height);
  const bool surely_zero =
      at.weight == 0 || (at.x.on_pixel() && x != at.x.cell) || (at.y.on_pixel() && y != at.y.cell);
  std::uint8_t set = 0;
  if (!at.x.surely_inside || !at.y.surely_inside) set |= kAdmitsFinite;
  for (std::int64_t cell_y = rows.first; cell_y <= rows.last; ++cell_y) {
    for (std::int64_t cell_x = columns.first; cell_x <= columns.last; ++cell_x) {
      const bool right = x == cell_x + 1, lower = y == cell_y + 1;
      const bool in_cell = (right || x == cell_x) && (lower || y == cell_y);
      const double least = least_weight(at.x, cell_x, right) * least_weight(at.y, cell_y, lower);
      if (in_cell) {
        set |= judge_.corner(factor, 1, surely_zero, least);
      } else {
        set |= kAdmitsFinite;
      }
    }
  }
  return set;
}

template <typename T>
void GradientKinds<T>::scatter(const GroupIndex& group, const Point<Scalar>& at, bool on_edge,
                               std::span<std::uint8_t> admits) const {
  const Level& level = inputs_.forward().level(at.level);
  const auto columns = judge_.cells(at.x, level.width), rows = judge_.cells(at.y, level.height);
  const T a = inputs_.forward().weight(group.n, group.q, group.m, at.level, at.point);
  const std::span<const T> gradient = inputs_.gradient().raw(group);
  if (std::isfinite(a) && all_finite(gradient)) return;
  std::uint8_t met = kAdmitsFinite;  // on an edge, by code without a range test
  if (inputs_.contract().nonfinite_value_at_zero_weight != NonfiniteValueAtZeroWeight::kIgnored)
    met |= kAdmitsNan;
  for (std::int64_t y = rows.first; y <= rows.last + 1; ++y) {
    for (std::int64_t x = columns.first; x <= columns.last + 1; ++x) {
      if (!inputs_.forward().inside(at.level, y, x)) continue;
      const auto row = static_cast<std::size_t>(level.start + y * level.width + x) * gradient.size();
      for (std::size_t d = 0; d < gradient.size(); ++d) {
        if (std::isfinite(a) && std::isfinite(gradient[d])) continue;
        const T factor = a * gradient[d];
        admits[row + d] = sum_of(admits[row + d], on_edge ? met : at_pixel(at, x, y, factor));
      }
    }
  }
}

template <typename T>
void GradientKinds<T>::of_value(std::int64_t n, std::int64_t m, std::span<std::uint8_t> admits) const {
  const Dims& dims = inputs_.dims();
  std::fill(admits.begin(), admits.end(), static_cast<std::uint8_t>(kAdmitsFinite));
  for (std::int64_t q = 0; q < dims.Q; ++q) {
    for (std::int64_t l = 0; l < dims.L; ++l) {
      for (std::int64_t p = 0; p < dims.P; ++p) {
        const GroupIndex group{n, q, m};
        Point<Scalar> at;
        const auto place = judge_.place(group, l, p, at);
        if (place == Judge::Place::kLost || place == Judge::Place::kHuge) add_lost(l, admits);
        if (place == Judge::Place::kEdge || place == Judge::Place::kInside)
          scatter(group, at, place == Judge::Place::kEdge, admits);
      }
    }
  }
}

template <typename T>
std::uint8_t GradientKinds<T>::of_weight(const GroupIndex& group, std::int64_t l, std::int64_t p) const {
  const std::span<const T> gradient = inputs_.gradient().raw(group);
  std::vector<std::uint8_t> sets(gradient.size());
  judge_.sample(group, l, p, gradient, sets);
  std::uint8_t set = kAdmitsFinite;
  for (const std::uint8_t of_channel : sets) set = sum_of(set, of_channel);
  return set;
}

/// All channels' slopes in one cell. A corner's factor is a weight across the axis, whatever that along it
/// is.
template <typename T>
std::uint8_t GradientKinds<T>::slope(const GroupIndex& group, const Point<Scalar>& at, Axis axis,
                                     std::int64_t cell_x, std::int64_t cell_y) const {
  const T a = inputs_.forward().weight(group.n, group.q, group.m, at.level, at.point);
  const std::span<const T> gradient = inputs_.gradient().raw(group);
  const Level& level = inputs_.forward().level(at.level);
  const bool is_x = axis == Axis::kX;
  const AxisSample<Scalar>& across = is_x ? at.y : at.x;
  const std::int64_t cell = is_x ? cell_y : cell_x;
  const bool on_edge = across.on_edge() || across.on_far_edge(is_x ? level.height : level.width);
  std::uint8_t set = kAdmitsFinite;
  for (std::size_t d = 0; d < gradient.size(); ++d) {
    const T factor = a * gradient[d];
    if (std::isnan(a) || std::isnan(gradient[d])) return kAdmitsNan;
    if (std::isinf(a) || std::isinf(gradient[d])) set = sum_of(set, kAdmitsNan | kInfinities);
    for (int index = 0; index < 4; ++index) {
      const bool right = (index & 1) != 0, lower = (index & 2) != 0;
      const std::int64_t x = cell_x + (right ? 1 : 0), y = cell_y + (lower ? 1 : 0);
      if (!inputs_.forward().inside(at.level, y, x)) continue;
      const bool far = is_x ? lower : right;
      const bool beside = on_edge || (across.on_pixel() && (is_x ? y : x) != across.cell);
      const bool surely_zero = a == 0 || gradient[d] == 0 || beside;
      const T value =
          inputs_.forward().raw_value(group.n, group.m, at.level, y, x, static_cast<std::int64_t>(d));
      std::uint8_t corner = judge_.corner(value, std::isfinite(factor) ? static_cast<double>(factor) : 1,
                                          surely_zero, least_weight(across, cell, far));
      if ((corner & kInfinities) != 0) corner |= kInfinities;  // slopes have either sign
      set = sum_of(set, corner);
    }
  }
  return set;
}

template <typename T>
std::uint8_t GradientKinds<T>::of_location(const GroupIndex& group, std::int64_t l, std::int64_t p,
                                           Axis axis) const {
  Point<Scalar> at;
  const auto place = judge_.place(group, l, p, at);
  if (place == Judge::Place::kLost || place == Judge::Place::kHuge) return lost();
  const T a = inputs_.forward().weight(group.n, group.q, group.m, l, p);
  const std::uint8_t outside = skipped(std::isfinite(a) && all_finite(inputs_.gradient().raw(group)));
  const bool surely_inside = at.x.surely_inside && at.y.surely_inside;
  std::uint8_t set = surely_inside ? 0 : outside;
  const Level& level = inputs_.forward().level(l);
  const bool is_x = axis == Axis::kX;
  const AxisSample<Scalar>& along = is_x ? at.x : at.y;
  const std::int64_t side = is_x ? level.width : level.height;
  if ((along.on_edge() || along.on_far_edge(side)) && inputs_.contract().edge_gradient == EdgeGradient::kZero)
    return outside;
  const CellRange slopes = touched_cells(along, side);
  const auto lines = judge_.cells(is_x ? at.y : at.x, is_x ? level.height : level.width);
  for (std::int64_t line = lines.first; line <= lines.last; ++line) {
    for (std::int64_t cell = slopes.first; cell <= slopes.last; ++cell)
      set |= slope(group, at, axis, is_x ? cell : line, is_x ? line : cell);
  }
  return set;
}

template class GradientKinds<float>;
template class GradientKinds<double>;

}  // namespace deformdiff::ms_deform_attn
