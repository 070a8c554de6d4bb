#include "generators/ms_deform_attn/triggers.h"

#include "blocks/ms_deform_attn.h"
#include "core/dtype_dispatch.h"
#include "generators/common/storage_layout.h"
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

using OperatorHits = Hits<kTriggerClasses>;

void look_at_extents(const Problem& problem, OperatorHits& hits) {
  const Dims& d = problem.dims;
  const std::int64_t groups = d.N * d.Q * d.M;
  hits.mark("batch_zero", d.N == 0);
  hits.mark("batch_above_step", d.N > problem.im2col_step);
  hits.mark("batch_not_multiple_of_step", d.N > problem.im2col_step && d.N % problem.im2col_step != 0);
  hits.mark("batch_above_64", d.N > 64);
  hits.mark("batch_above_1024", d.N > 1024);
  hits.mark("batch_above_65535", d.N > 65535);
  hits.mark("queries_zero", d.Q == 0);
  hits.mark("queries_above_1024", d.Q > 1024);
  hits.mark("queries_above_65535", d.Q > 65535);
  hits.mark("extent_zero", d.M * d.D * d.L * d.P == 0);
  hits.mark("groups_above_4096", groups > 4096);
  hits.mark("groups_above_65535", groups > 65535);
  hits.mark("threads_above_2m", groups * d.D > 4096 * 512);
  hits.mark("heads_above_8", d.M > 8);
  hits.mark("heads_above_32", d.M > 32);
  hits.mark("channels_one", d.D == 1);
  hits.mark("channels_odd", d.D % 2 == 1);
  hits.mark("channels_not_multiple_of_4", d.D % 4 != 0);
  hits.mark("channels_above_32", d.D > 32);
  hits.mark("channels_above_64", d.D > 64);
  hits.mark("channels_above_512", d.D > 512);
  hits.mark("channels_above_1024", d.D > 1024);
  hits.mark("levels_one", d.L == 1);
  hits.mark("levels_above_4", d.L > 4);
  hits.mark("levels_above_8", d.L > 8);
  hits.mark("points_one", d.P == 1);
  hits.mark("points_above_8", d.P > 8);
  hits.mark("points_above_32", d.P > 32);
  hits.mark("samples_above_64", d.L * d.P > 64);
  hits.mark("rows_above_65535", d.S > 65535);
  hits.mark("products_above_2_31", products(d) > std::int64_t{1} << 31);
  hits.mark("value_above_2_24_elements", d.N * d.S * d.M * d.D > (1 << 24));
  hits.mark("float32", problem.dtype == DType::kFloat32);
  hits.mark("float64", problem.dtype == DType::kFloat64);
}

void look_at_levels(const Problem& problem, OperatorHits& hits) {
  const std::vector<Level>& levels = problem.levels;
  std::int64_t covered = 0;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const Level& a = levels[l];
    const std::int64_t longer = std::max(a.height, a.width);
    covered += a.height * a.width;
    hits.mark("one_pixel_level", longer == 1);
    hits.mark("one_pixel_high", a.height == 1 && a.width > 1);
    hits.mark("one_pixel_wide", a.width == 1 && a.height > 1);
    hits.mark("not_square", a.height != a.width);
    hits.mark("side_above_256", longer > 256);
    hits.mark("side_above_32767", longer > 32767);
    for (std::size_t k = 0; k < l; ++k) {
      const Level& b = levels[k];
      hits.mark("transposed_twins", a.height == b.width && a.width == b.height && a.height != a.width);
      hits.mark("starts_permuted", a.start < b.start);
      hits.mark("starts_overlapping",
                a.start < b.start + b.height * b.width && b.start < a.start + a.height * a.width);
    }
  }
  hits.mark("starts_gapped", covered < problem.dims.S);
}

void look_at_layout(const Case& c, OperatorHits& hits) {
  for (const NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    if (tensor.is_contiguous()) continue;
    const bool index = tensor.dtype() == DType::kInt64;
    hits.mark("index_not_contiguous", index);
    hits.mark("value_not_contiguous", input.name == "value");
    hits.mark("loc_not_contiguous", input.name == "sampling_loc");
    hits.mark("weight_not_contiguous", input.name == "attn_weight");
    hits.mark("storage_offset", tensor.offset() > 0 && !index);
    hits.mark("overlapping", traits_of(tensor).sliding.has_value());
    for (std::size_t a = 0; a < tensor.shape().size(); ++a) {
      hits.mark("expanded", tensor.strides()[a] == 0 && tensor.dim(a) > 1);
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
void look_at_special(T location, double pixel, double n, OperatorHits& hits) {
  for (const double edge : {0.0, 1.0, -0.5 / n, (n + 0.5) / n}) {
    const std::int64_t ulps = ulps_between(location, static_cast<T>(edge));
    hits.mark("border_exact", ulps == 0);
    hits.mark("border_ulp", ulps > 0 && ulps <= 3);
  }
  const double nearest = std::floor(pixel + 0.5);
  if (!(nearest >= 0 && nearest < n)) return;
  const std::int64_t ulps = ulps_between(location, static_cast<T>((nearest + 0.5) / n));
  hits.mark("centre_exact", ulps == 0);
  hits.mark("centre_ulp", ulps > 0 && ulps <= 3);
  hits.mark("near_centre_float64", sizeof(T) == 8 && ulps > 3 && std::abs(pixel - nearest) < 1e-7);
}

template <typename T>
bool is_negative_zero(T x) {
  return x == 0 && std::signbit(x);
}

/// Marks what one coordinate is; returns whether it is inside the map's support.
template <typename T>
bool look_at_coordinate(T location, std::int64_t side, OperatorHits& hits) {
  hits.mark("negative_zero", is_negative_zero(location));
  hits.mark("nan_location", std::isnan(location));
  hits.mark("inf_location", std::isinf(location));
  if (!std::isfinite(location)) return false;
  const auto n = static_cast<double>(side);
  const double pixel = static_cast<double>(location) * n - 0.5;
  if (!(pixel > -2 && pixel < n + 1)) {
    hits.mark("far_outside", std::abs(location) > 2);
    hits.mark("huge_location", std::abs(location) > static_cast<T>(1e9));
    hits.mark("wraps_32_bits", std::abs(pixel) >= 0x1p31);
    return false;
  }
  hits.mark("below_border_float64", sizeof(T) == 8 && pixel < n && pixel > n - 1e-7);
  hits.mark("negative_fraction", pixel > -1 && pixel < 0);
  hits.mark("far_edge", pixel > n - 1 && pixel < n);
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
void look_at_points(const Problem& problem, OperatorHits& hits) {
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
    hits.mark("outside_one_axis", x_inside != y_inside);
    const bool nan = std::isnan(w[at]);
    hits.mark("nan_weight_inside", nan && x_inside && y_inside);
    hits.mark("nan_weight_outside", nan && !(x_inside && y_inside));
    hits.mark("inf_weight", std::isinf(w[at]));
    hits.mark("negative_zero", is_negative_zero(w[at]));
    hits.mark("weights_negative", w[at] < 0);
    hits.mark("weights_zero", w[at] == 0);
  }
  const std::int64_t per_group = d.L * d.P;
  double sum = 0;
  for (std::int64_t k = 0; k < per_group; ++k) sum += static_cast<double>(w[static_cast<std::size_t>(k)]);
  hits.mark("weights_unnormalised", std::abs(sum - 1) > 1e-3);
}

/// What occurs among the magnitudes of some elements, as the bits of numbers: they order like the numbers.
template <typename Bits>
struct Magnitudes {
  Bits largest = 0;  ///< finite
  Bits above_infinity = 0, infinite = 0, subnormal = 0, negative_zero = 0;
};

/// Without branches, so that it runs in wide registers.
template <typename T, typename Bits>
void look_at_block(const T* elements, std::size_t count, Magnitudes<Bits>& seen) {
  const Bits infinity = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  const Bits normal = std::bit_cast<Bits>(std::numeric_limits<T>::min());
  for (std::size_t i = 0; i < count; ++i) {
    const Bits magnitude = std::bit_cast<Bits>(elements[i]) & std::numeric_limits<Bits>::max();
    seen.negative_zero |= std::bit_cast<Bits>(elements[i]) == std::numeric_limits<Bits>::min() ? 1 : 0;
    seen.above_infinity |= magnitude > infinity ? 1 : 0;
    seen.infinite |= magnitude == infinity ? 1 : 0;
    seen.subnormal |= static_cast<Bits>(magnitude - 1) >= 0 && magnitude < normal ? 1 : 0;
    const Bits finite = magnitude < infinity ? magnitude : 0;
    seen.largest = finite > seen.largest ? finite : seen.largest;
  }
}

template <typename T>
void look_at_value(const Tensor& value, OperatorHits& hits) {
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
  hits.mark("nan_value", seen.above_infinity != 0);
  hits.mark("inf_value", seen.infinite != 0);
  hits.mark("negative_zero", seen.negative_zero != 0);
  hits.mark("subnormal", seen.subnormal != 0);
  hits.mark("near_overflow", largest > std::numeric_limits<T>::max() / 0x1p16F);
  hits.mark("beyond_float16", largest > 65504);
}

}  // namespace

std::vector<TriggerClass> trigger_classes() {
  return classes_of(kTriggerClasses);
}

std::vector<std::string> triggers_hit(const Case& c) {
  const Problem problem = parse(c);
  OperatorHits hits;
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
