#include "generators/ms_deform_attn/simplifications.h"

#include "generators/ms_deform_attn/simplicity.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {
namespace {

/// To the nearest multiple of `unit`, a power of two.
double rounded(double x, double unit) {
  return std::floor(x / unit + 0.5) * unit;
}

std::vector<Simplify> element_roundings() {
  std::vector<Simplify> steps;
  for (const NumberStep step : number_roundings()) {
    steps.emplace_back([step](double x, const ElementPlace&) { return step(x); });
  }
  return steps;
}

/// From the old pixel coordinate and the side to a new pixel coordinate.
using MovePixel = double (*)(double pixel, double side);

template <typename T>
Simplify moving(MovePixel move) {
  return [move](double location, const ElementPlace& place) {
    const double pixel = location * static_cast<double>(place.side) - 0.5;
    if (!std::isfinite(pixel)) return location;
    return static_cast<double>(location_of<T>(move(pixel, static_cast<double>(place.side)), place.side));
  };
}

/// One ULP beside the nearest eighth of a pixel, on the same side of it.
template <typename T>
double one_ulp_beside(double location, const ElementPlace& place) {
  const PixelPlace pixel = pixel_place(static_cast<T>(location), place.side);
  if (!pixel.dyadic || pixel.ulps == 0) return location;
  const T nearest = location_of<T>(static_cast<double>(pixel.eighths) / 8, place.side);
  return static_cast<double>(step_ulps(nearest, pixel.ulps > 0 ? 1 : -1));
}

template <typename T>
std::vector<Simplify> location_roundings() {
  static constexpr double kSmall = sizeof(T) == 8 ? 0x1p-30 : 0x1p-12;
  std::vector<Simplify> steps;
  for (const MovePixel move : std::initializer_list<MovePixel>{
           [](double x, double n) { return std::clamp(rounded(x, 1), 0.0, n - 1); },
           [](double x, double) { return std::floor(x) + 0.5; }, [](double, double) { return 0.5; },
           [](double, double) { return -0.5; }, [](double, double) { return -1.0; },
           [](double, double n) { return n; }, [](double, double n) { return n - 0.5; },
           [](double, double n) { return 2 * n; }, [](double x, double) { return rounded(x, 1); },
           [](double x, double) { return std::floor(x / 2); },
           [](double x, double) { return rounded(x, 0.25); },
           [](double x, double) { return rounded(x, 0.125); },
           [](double x, double) { return rounded(x, 1) - kSmall; },
           [](double x, double) { return rounded(x, 1) + kSmall; }}) {
    steps.push_back(moving<T>(move));
  }
  steps.emplace_back([](double x, const ElementPlace& place) { return one_ulp_beside<T>(x, place); });
  for (const Simplify& rounding : element_roundings()) steps.push_back(rounding);
  return steps;
}

}  // namespace

std::vector<Simplify> constants_for(Input input) {
  if (input == kLocations) {
    return {[](double, const ElementPlace& place) { return 0.5 / static_cast<double>(place.side); }};
  }
  return {[](double, const ElementPlace&) { return 0.0; }, [](double, const ElementPlace&) { return 1.0; }};
}

std::vector<Simplify> roundings_for(Input input, DType dtype) {
  if (input != kLocations) return element_roundings();
  return dtype == DType::kFloat64 ? location_roundings<double>() : location_roundings<float>();
}

}  // namespace deformdiff::ms_deform_attn
