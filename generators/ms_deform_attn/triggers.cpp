#include "generators/ms_deform_attn/triggers.h"

#include "blocks/ms_deform_attn.h"
#include "core/dtype_dispatch.h"
#include "generators/ms_deform_attn/trigger_classes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace deformdiff::ms_deform_attn {
namespace {

class Hits {
 public:
  void mark(Trigger trigger, bool hit = true) { hit_[trigger] = hit_[trigger] || hit; }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (std::size_t t = 0; t < kTriggers; ++t) {
      if (hit_[t]) names.push_back(trigger_classes()[t].name);
    }
    return names;
  }

 private:
  std::array<bool, kTriggers> hit_{};
};

void look_at_extents(const Problem& problem, Hits& hits) {
  const Dims& d = problem.dims;
  const std::int64_t groups = d.N * d.Q * d.M;
  hits.mark(kBatchZero, d.N == 0);
  hits.mark(kBatchAboveStep, d.N > problem.im2col_step);
  hits.mark(kBatchNotMultipleOfStep, d.N > problem.im2col_step && d.N % problem.im2col_step != 0);
  hits.mark(kBatchAbove64, d.N > 64);
  hits.mark(kQueriesZero, d.Q == 0);
  hits.mark(kQueriesAbove1024, d.Q > 1024);
  hits.mark(kExtentZero, d.M * d.D * d.L * d.P == 0);
  hits.mark(kGroupsAbove4096, groups > 4096);
  hits.mark(kGroupsAbove65535, groups > 65535);
  hits.mark(kThreadsAbove2M, groups * d.D > 4096 * 512);
  hits.mark(kHeadsAbove8, d.M > 8);
  hits.mark(kHeadsAbove32, d.M > 32);
  hits.mark(kChannelsOne, d.D == 1);
  hits.mark(kChannelsOdd, d.D % 2 == 1);
  hits.mark(kChannelsNotMultipleOf4, d.D % 4 != 0);
  hits.mark(kChannelsAbove32, d.D > 32);
  hits.mark(kChannelsAbove64, d.D > 64);
  hits.mark(kChannelsAbove512, d.D > 512);
  hits.mark(kChannelsAbove1024, d.D > 1024);
  hits.mark(kLevelsOne, d.L == 1);
  hits.mark(kLevelsAbove4, d.L > 4);
  hits.mark(kLevelsAbove8, d.L > 8);
  hits.mark(kPointsOne, d.P == 1);
  hits.mark(kPointsAbove8, d.P > 8);
  hits.mark(kPointsAbove32, d.P > 32);
  hits.mark(kSamplesAbove64, d.L * d.P > 64);
  hits.mark(kRowsAbove65535, d.S > 65535);
  hits.mark(kValueAbove2To24, d.N * d.S * d.M * d.D > (1 << 24));
  hits.mark(kFloat32, problem.dtype == DType::kFloat32);
  hits.mark(kFloat64, problem.dtype == DType::kFloat64);
}

void look_at_levels(const Problem& problem, Hits& hits) {
  const std::vector<Level>& levels = problem.levels;
  std::int64_t covered = 0;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const Level& a = levels[l];
    const std::int64_t longer = std::max(a.height, a.width);
    covered += a.height * a.width;
    hits.mark(kOnePixelLevel, longer == 1);
    hits.mark(kOnePixelHigh, a.height == 1 && a.width > 1);
    hits.mark(kOnePixelWide, a.width == 1 && a.height > 1);
    hits.mark(kNotSquare, a.height != a.width);
    hits.mark(kSideAbove256, longer > 256);
    hits.mark(kSideAbove32767, longer > 32767);
    for (std::size_t k = 0; k < l; ++k) {
      const Level& b = levels[k];
      hits.mark(kTransposedTwins, a.height == b.width && a.width == b.height && a.height != a.width);
      hits.mark(kStartsPermuted, a.start < b.start);
      hits.mark(kStartsOverlapping,
                a.start < b.start + b.height * b.width && b.start < a.start + a.height * a.width);
    }
  }
  hits.mark(kStartsGapped, covered < problem.dims.S);
}

void look_at_layout(const Case& c, Hits& hits) {
  for (const NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    if (tensor.is_contiguous()) continue;
    const bool index = tensor.dtype() == DType::kInt64;
    hits.mark(kIndexNotContiguous, index);
    hits.mark(kValueNotContiguous, input.name == "value");
    hits.mark(kLocNotContiguous, input.name == "sampling_loc");
    hits.mark(kWeightNotContiguous, input.name == "attn_weight");
    hits.mark(kStorageOffset, tensor.offset() > 0 && !index);
    for (std::size_t a = 0; a < tensor.shape().size(); ++a) {
      hits.mark(kExpanded, tensor.strides()[a] == 0 && tensor.dim(a) > 1);
    }
  }
}

/// Representable numbers from a to b, where both are finite and of one sign; else the largest.
template <typename T>
std::int64_t ulps_between(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  if (std::signbit(a) != std::signbit(b)) return std::numeric_limits<std::int64_t>::max();
  const auto difference = static_cast<std::int64_t>(std::bit_cast<Bits>(a)) - std::bit_cast<Bits>(b);
  return difference < 0 ? -difference : difference;
}

/// Borders and centres are whole or half pixels, to a few ULPs of a location on the longest sides.
bool is_near_half_pixel(double pixel) {
  const double halves = 2 * pixel;
  return std::abs(halves - std::floor(halves + 0.5)) < 0.1;
}

/// Marks borders and centres, exact and a few ULPs off.
template <typename T>
void look_at_special(T location, double pixel, double n, Hits& hits) {
  for (const double edge : {0.0, 1.0, -0.5 / n, (n + 0.5) / n}) {
    const std::int64_t ulps = ulps_between(location, static_cast<T>(edge));
    hits.mark(kBorderExact, ulps == 0);
    hits.mark(kBorderUlp, ulps > 0 && ulps <= 3);
  }
  const double nearest = std::floor(pixel + 0.5);
  if (!(nearest >= 0 && nearest < n)) return;
  const std::int64_t ulps = ulps_between(location, static_cast<T>((nearest + 0.5) / n));
  hits.mark(kCentreExact, ulps == 0);
  hits.mark(kCentreUlp, ulps > 0 && ulps <= 3);
  hits.mark(kNearCentreFloat64, sizeof(T) == 8 && ulps > 3 && std::abs(pixel - nearest) < 1e-7);
}

/// Marks what one coordinate is; returns whether it is inside the map's support.
template <typename T>
bool look_at_coordinate(T location, std::int64_t side, Hits& hits) {
  hits.mark(kNanLocation, std::isnan(location));
  hits.mark(kInfLocation, std::isinf(location));
  if (!std::isfinite(location)) return false;
  const auto n = static_cast<double>(side);
  const double pixel = static_cast<double>(location) * n - 0.5;
  if (!(pixel > -2 && pixel < n + 1)) {
    hits.mark(kFarOutside, std::abs(location) > 2);
    hits.mark(kHugeLocation, std::abs(location) > static_cast<T>(1e9));
    hits.mark(kWraps32Bits, std::abs(pixel) >= 0x1p31);
    return false;
  }
  hits.mark(kBelowBorderFloat64, sizeof(T) == 8 && pixel < n && pixel > n - 1e-7);
  hits.mark(kNegativeFraction, pixel > -1 && pixel < 0);
  hits.mark(kFarEdge, pixel > n - 1 && pixel < n);
  if (is_near_half_pixel(pixel)) look_at_special(location, pixel, n, hits);
  return pixel > -1 && pixel < n;
}

constexpr std::int64_t kMostPoints = 1 << 14;
constexpr std::int64_t kMostValues = 1 << 17;

/// Distance between the elements, or blocks of them, that are looked at.
std::int64_t sampling_step(std::int64_t elements, std::int64_t most) {
  return 1 + elements / most;
}

template <typename T>
void look_at_points(const Problem& problem, Hits& hits) {
  if (problem.attn_weight.elements() == 0) return;
  const Tensor locations = problem.sampling_loc.contiguous();
  const Tensor weights = problem.attn_weight.contiguous();
  const auto xy = locations.values<T>();
  const auto w = weights.values<T>();
  const Dims& d = problem.dims;
  const std::int64_t points = weights.elements();
  const std::int64_t step = sampling_step(points, kMostPoints);
  for (std::int64_t i = 0; i < points; i += step) {
    const Level& level = problem.levels[static_cast<std::size_t>(i / d.P % d.L)];
    const auto at = static_cast<std::size_t>(i);
    const bool x_inside = look_at_coordinate(xy[2 * at], level.width, hits);
    const bool y_inside = look_at_coordinate(xy[2 * at + 1], level.height, hits);
    hits.mark(kOutsideOneAxis, x_inside != y_inside);
    const bool nan = std::isnan(w[at]);
    hits.mark(kNanWeightInside, nan && x_inside && y_inside);
    hits.mark(kNanWeightOutside, nan && !(x_inside && y_inside));
    hits.mark(kInfWeight, std::isinf(w[at]));
    hits.mark(kWeightsNegative, w[at] < 0);
    hits.mark(kWeightsZero, w[at] == 0);
  }
  const std::int64_t per_group = d.L * d.P;
  double sum = 0;
  for (std::int64_t k = 0; k < per_group; ++k) sum += static_cast<double>(w[static_cast<std::size_t>(k)]);
  hits.mark(kWeightsUnnormalised, std::abs(sum - 1) > 1e-3);
}

/// What occurs among the magnitudes of some elements, as the bits of numbers: they order like the numbers.
template <typename Bits>
struct Magnitudes {
  Bits largest = 0;  ///< finite
  Bits above_infinity = 0, infinite = 0, subnormal = 0;
};

/// Without branches, so that it runs in wide registers.
template <typename T, typename Bits>
void look_at_block(const T* elements, std::size_t count, Magnitudes<Bits>& seen) {
  const Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  const Bits normal = std::bit_cast<Bits>(std::numeric_limits<T>::min());
  for (std::size_t i = 0; i < count; ++i) {
    const Bits magnitude = std::bit_cast<Bits>(elements[i]) & std::numeric_limits<Bits>::max();
    seen.above_infinity |= magnitude > infinity ? 1 : 0;
    seen.infinite |= magnitude == infinity ? 1 : 0;
    seen.subnormal |= static_cast<Bits>(magnitude - 1) >= 0 && magnitude < normal ? 1 : 0;
    const Bits finite = magnitude < infinity ? magnitude : 0;
    seen.largest = finite > seen.largest ? finite : seen.largest;
  }
}

template <typename T>
void look_at_value(const Tensor& value, Hits& hits) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  constexpr std::size_t kBlock = 1024;
  if (value.elements() == 0) return;
  const Tensor dense = value.contiguous();
  const auto elements = dense.values<T>();
  const std::size_t step = kBlock * static_cast<std::size_t>(sampling_step(value.elements(), kMostValues));
  Magnitudes<Bits> seen;
  for (std::size_t first = 0; first < elements.size(); first += step) {
    look_at_block(elements.data() + first, std::min(kBlock, elements.size() - first), seen);
  }
  const T largest = std::bit_cast<T>(seen.largest);
  hits.mark(kNanValue, seen.above_infinity != 0);
  hits.mark(kInfValue, seen.infinite != 0);
  hits.mark(kSubnormal, seen.subnormal != 0);
  hits.mark(kNearOverflow, largest > std::numeric_limits<T>::max() / 0x1p16F);
  hits.mark(kBeyondFloat16, largest > 65504);
}

}  // namespace

std::vector<std::string> triggers_hit(const Case& c) {
  DEFORMDIFF_CHECK(trigger_classes().size() == kTriggers);
  const Problem problem = parse(c);
  Hits hits;
  look_at_extents(problem, hits);
  look_at_levels(problem, hits);
  look_at_layout(c, hits);
  with_floating(problem.dtype, [&](auto zero) {
    look_at_points<decltype(zero)>(problem, hits);
    look_at_value<decltype(zero)>(problem.value, hits);
  });
  return hits.names();
}

}  // namespace deformdiff::ms_deform_attn
