#include "oracles/arithmetic/rounding.h"

#include <cmath>
#include <limits>

namespace deformdiff {

Rounding rounding_of(DType dtype, const Precision& precision) {
  const FloatFormat format = float_format(dtype);
  const double half = format.smallest_subnormal / 2, gradual = half > 0 ? half : format.smallest_subnormal;
  return {format.unit_roundoff,   precision.flush_to_zero ? format.smallest_normal : gradual,
          format.smallest_normal, format.largest,
          format.precision,       std::ilogb(format.smallest_normal),
          precision.flush_to_zero};
}

double second_order_factor(double roundings, double unit) {
  const double loss = roundings * unit;
  return loss < 0.5 ? 1 / (1 - loss) : std::numeric_limits<double>::infinity();
}

}  // namespace deformdiff
