#include "core/dtype_dispatch.h"
#include "generators/common/numbers.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/steps.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// From a location and its map's side to another location.
using MoveLocation = std::function<double(double location, std::int64_t side)>;

template <typename T>
Simplify on_maps(const MapSides& sides, MoveLocation move) {
  return {
      [sides, move = std::move(move)](double x, std::int64_t index) { return move(x, sides(index)); },
      [sides](double x, std::int64_t index) { return rank_of_location(static_cast<T>(x), sides(index)); }};
}

/// From the old pixel coordinate and the side to a new pixel coordinate.
using MovePixel = double (*)(double pixel, double side);

template <typename T>
MoveLocation moving(MovePixel move) {
  return [move](double location, std::int64_t side) {
    const double pixel = location * static_cast<double>(side) - 0.5;
    if (!std::isfinite(pixel)) return location;
    return static_cast<double>(location_of<T>(move(pixel, static_cast<double>(side)), side));
  };
}

/// One ULP beside the nearest eighth of a pixel, on the same side of it.
template <typename T>
double one_ulp_beside(double location, std::int64_t side) {
  const PixelPlace pixel = pixel_place(static_cast<T>(location), side);
  if (!pixel.dyadic || pixel.ulps == 0) return location;
  const T nearest = location_of<T>(static_cast<double>(pixel.eighths) / 8, side);
  return static_cast<double>(step_ulps(nearest, pixel.ulps > 0 ? 1 : -1));
}

template <typename T>
std::vector<Simplify> location_roundings(const MapSides& sides) {
  static constexpr double kSmall = sizeof(T) == 8 ? 0x1p-30 : 0x1p-12;
  std::vector<Simplify> ways;
  for (const MovePixel move : std::initializer_list<MovePixel>{
           [](double x, double n) { return std::clamp(nearest_multiple(x, 1), 0.0, n - 1); },
           [](double x, double) { return std::floor(x) + 0.5; }, [](double, double) { return 0.5; },
           [](double, double) { return -0.5; }, [](double, double) { return -1.0; },
           [](double, double n) { return n; }, [](double, double n) { return n - 0.5; },
           [](double, double n) { return 2 * n; }, [](double x, double) { return nearest_multiple(x, 1); },
           [](double x, double) { return std::floor(x / 2); },
           [](double x, double) { return nearest_multiple(x, 0.25); },
           [](double x, double) { return nearest_multiple(x, 0.125); },
           [](double x, double) { return nearest_multiple(x, 1) - kSmall; },
           [](double x, double) { return nearest_multiple(x, 1) + kSmall; }}) {
    ways.push_back(on_maps<T>(sides, moving<T>(move)));
  }
  ways.push_back(on_maps<T>(sides, one_ulp_beside<T>));
  for (const NumberRounding rounding : number_roundings()) {
    ways.push_back(on_maps<T>(sides, [rounding](double x, std::int64_t) { return rounding(x); }));
  }
  return ways;
}

template <typename T>
Simplify first_pixel(const MapSides& sides) {
  return on_maps<T>(sides, [](double, std::int64_t side) { return 0.5 / static_cast<double>(side); });
}

/// `way` where the index of the axis with `inner` elements an index is `at`.
Simplify on_slice(Simplify way, std::int64_t inner, std::int64_t size, std::int64_t at) {
  way.change = [=, change = way.change](double x, std::int64_t index) {
    return index / inner % size == at ? change(x, index) : x;
  };
  return way;
}

}  // namespace

std::vector<FloatingInput> floating_inputs(const Draft& draft) {
  const Problem problem = parse(draft.dense);
  std::vector<FloatingInput> inputs;
  for (const char* name : {"value", "attn_weight", "grad_output"}) {
    if (draft.dense.find_input(name) == nullptr) continue;
    inputs.push_back(
        {draft.dense.input(name).shape(), range_of(draft, name), {constant(0), constant(1)}, roundings()});
  }
  with_floating(problem.dtype, [&](auto zero) {
    using T = decltype(zero);
    const MapSides sides(problem);
    inputs.push_back({problem.sampling_loc.shape(),
                      range_of(draft, "sampling_loc"),
                      {first_pixel<T>(sides)},
                      location_roundings<T>(sides)});
  });
  return inputs;
}

Step small_values(const Draft& draft) {
  const Tensor& value = draft.dense.input("value");
  return ways_on({range_of(draft, "value")}, {small_numbers(value.dim(2) * value.dim(3)), small_numbers()});
}

void add_slices(const std::vector<FloatingInput>& inputs, Steps& steps) {
  static constexpr std::int64_t kFew = 32;
  for (const auto& [shape, range, constants, roundings] : inputs) {
    const auto ways = static_cast<std::int64_t>(constants.size());
    std::int64_t inner = range.size();
    for (const std::int64_t size : shape) {
      if (inner == 0) return;
      inner /= size;
      if (size == 1 || size > kFew || size == range.size()) continue;
      steps.push_back(
          {size * ways, [=, range = range, constants = constants](const Draft& from, std::int64_t which) {
             const Simplify& way = constants[static_cast<std::size_t>(which % ways)];
             return simplified(from, range, on_slice(way, inner, size, which / ways));
           }});
    }
  }
}

}  // namespace deformdiff::ms_deform_attn
