#include "generators/ms_deform_attn/values.h"

#include "core/dtype_dispatch.h"
#include "generators/common/normal_fill.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// Where a row of value lies; level -1 in a gap.
struct RowPlace {
  std::int64_t level = -1, y = 0, x = 0;
};

std::vector<RowPlace> places_of_rows(const Sketch& s) {
  std::vector<RowPlace> places(static_cast<std::size_t>(s.dims.S));
  for (std::size_t l = 0; l < s.levels.size(); ++l) {
    const Level& level = s.levels[l];
    auto at = static_cast<std::size_t>(level.start);
    for (std::int64_t y = 0; y < level.height; ++y) {
      for (std::int64_t x = 0; x < level.width; ++x) places[at++] = {static_cast<std::int64_t>(l), y, x};
    }
  }
  return places;
}

double power_of_two(std::int64_t exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

struct ElementAt {
  std::int64_t n, m, d;
  RowPlace row;
  std::uint64_t row_index;  ///< over batch and rows
};

/// Of sixteen zeros one is negative, by the lowest bits of `word`.
double rarely_negative_zero(std::uint64_t word) {
  return (word & 15) == 0 ? -0.0 : 0.0;
}

double ramp(const ElementAt& at, const CounterRandom& random) {
  const auto plane = static_cast<std::uint64_t>(((at.n * 64 + at.row.level) * 256 + at.m) * 4096 + at.d);
  const CounterRandom coefficients = random.stream(plane);
  const auto quarter = [&](std::uint64_t k) {
    return static_cast<double>(coefficients.below(k, 33)) / 4 - 4;
  };
  return quarter(0) + quarter(1) * static_cast<double>(at.row.x) + quarter(2) * static_cast<double>(at.row.y);
}

double tag(const ElementAt& at) {
  return 1 + 7.0 * static_cast<double>(at.n) + 11.0 * static_cast<double>(at.row.level) +
         3.0 * static_cast<double>(at.m) + 0.5 * static_cast<double>(at.d) +
         0.0625 * static_cast<double>(at.row.x) + 0.171875 * static_cast<double>(at.row.y);
}

/// Scales of the styles that are a scaled N(0, 1).
double scale_of(const Sketch& s, ValueStyle style) {
  const bool wide = s.dtype == DType::kFloat64;
  switch (style) {
    case ValueStyle::kSubnormal:
      return wide ? power_of_two(-1022) : power_of_two(-128);
    case ValueStyle::kNearOverflow:
      return power_of_two(wide ? 1020 : 124) /
             static_cast<double>(4 * std::max<std::int64_t>(1, s.dims.L * s.dims.P));
    case ValueStyle::kLarge:
      return power_of_two(18);
    default:
      return 1;
  }
}

double element(ValueStyle style, const ElementAt& at, const CounterRandom& random, std::uint64_t word) {
  const double parity = ((at.row.x + at.row.y + at.d) & 1) != 0 ? -1 : 1;
  switch (style) {
    case ValueStyle::kPositive:
      return 0.5 + unit(word);
    case ValueStyle::kRamp:
      return ramp(at, random);
    case ValueStyle::kTags:
      return tag(at);
    case ValueStyle::kIntegers:
      return static_cast<double>(((word >> 32) * 17) >> 32) - 8;
    case ValueStyle::kCancellation:
      return 10000 * parity + normal(word);
    case ValueStyle::kConstant:
      return 1.375;
    case ValueStyle::kSparse:
      return random.stream(3).below(at.row_index, 8) == 0 ? 1 + unit(word) : rarely_negative_zero(word);
    case ValueStyle::kChecker:
      return parity * (1 + unit(word));
    case ValueStyle::kDecaying:
      return normal(word) * power_of_two(-(at.d % 24));
    case ValueStyle::kWide:
      return (((word >> 32) & 1) != 0 ? -1 : 1) *
             power_of_two(static_cast<std::int64_t>((word >> 40) % 41) - 20);
    default:
      return normal(word);
  }
}

template <typename T>
void fill_styled(const Sketch& s, ValueStyle style, const CounterRandom& random, T* out) {
  const Dims& d = s.dims;
  const std::vector<RowPlace> places = places_of_rows(s);
  const double scale = scale_of(s, style);
  std::uint64_t i = 0;
  ElementAt at{};
  for (at.n = 0; at.n < d.N; ++at.n) {
    for (const RowPlace& place : places) {
      at.row = place;
      for (at.m = 0; at.m < d.M; ++at.m) {
        for (at.d = 0; at.d < d.D; ++at.d, ++i) {
          out[i] = static_cast<T>(element(style, at, random, random.bits(i)) * scale);
        }
      }
      ++at.row_index;
    }
  }
}

/// Rows that no level owns must not be read: what is in them shows if they are.
template <typename T>
void fill_gaps(const Sketch& s, T* out) {
  const std::vector<RowPlace> places = places_of_rows(s);
  const std::int64_t width = s.dims.M * s.dims.D;
  for (std::int64_t n = 0; n < s.dims.N; ++n) {
    for (std::int64_t row = 0; row < s.dims.S; ++row) {
      if (places[static_cast<std::size_t>(row)].level >= 0) continue;
      std::fill_n(out + (n * s.dims.S + row) * width, width,
                  static_cast<T>(row % 2 == 0 ? 123456.75 : -98765.5));
    }
  }
}

template <typename T>
Tensor make(const Sketch& s, ValueStyle style, const CounterRandom& random) {
  const Shape shape{s.dims.N, s.dims.S, s.dims.M, s.dims.D};
  const auto count = static_cast<std::size_t>(element_count(shape));
  Tensor::Bytes bytes(count * sizeof(T));
  T* const out = reinterpret_cast<T*>(bytes.data());
  if (style == ValueStyle::kNormal) {
    fill_normal(random, count, out);
  } else {
    fill_styled<T>(s, style, random, out);
  }
  std::int64_t covered = 0;
  for (const Level& level : s.levels) covered += level.height * level.width;
  if (covered != s.dims.S) fill_gaps(s, out);
  return Tensor(s.dtype, shape, std::move(bytes));
}

/// One weight before normalisation; k of `points`, which are those of all levels.
double raw_weight(WeightStyle style, std::uint64_t word, std::int64_t k, std::int64_t chosen) {
  const double u = unit(word);
  switch (style) {
    case WeightStyle::kPeaked:
      return k == chosen ? 1 : 1e-7 * (0.1 + u);
    case WeightStyle::kNormal:
      return normal(word);
    case WeightStyle::kOneHot:
      return k == chosen ? 1 : 0;
    case WeightStyle::kSparse:
      return (word & 0x3ff) < 341 ? rarely_negative_zero(word >> 10) : 0.1 + u;
    case WeightStyle::kEqual:
    case WeightStyle::kOnes:
      return 1;
    case WeightStyle::kTags:
      return 0.25 + 0.125 * static_cast<double>(k);
    case WeightStyle::kDecaying:
      return power_of_two(-(k % 40)) * (1 + u);
    case WeightStyle::kLarge:
      return normal(word) * 131072;
    case WeightStyle::kUniform:
      return u;
    default:
      // The quotient has the long upper tail of an exponential of a normal number.
      return (0.02 + u) / (1.05 - unit(word << 20));
  }
}

bool is_normalised(WeightStyle style) {
  return style == WeightStyle::kNormalised || style == WeightStyle::kPeaked || style == WeightStyle::kEqual ||
         style == WeightStyle::kTiny;
}

template <typename T>
Tensor make_weights_of(const Sketch& s, WeightStyle style, const CounterRandom& random) {
  const Dims& d = s.dims;
  const Shape shape{d.N, d.Q, d.M, d.L, d.P};
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(shape)) * sizeof(T));
  T* out = reinterpret_cast<T*>(bytes.data());
  const std::int64_t points = d.L * d.P;
  std::vector<double> group(static_cast<std::size_t>(points));
  const double scale = style == WeightStyle::kTiny ? 0x1p-40 : 1;
  for (std::int64_t g = 0; points > 0 && g < d.N * d.Q * d.M; ++g) {
    const auto first = static_cast<std::uint64_t>(g * points);
    const auto chosen = static_cast<std::int64_t>(
        random.stream(1).below(static_cast<std::uint64_t>(g), static_cast<std::uint64_t>(points)));
    double sum = 0;
    for (std::int64_t k = 0; k < points; ++k) {
      double& weight = group[static_cast<std::size_t>(k)];
      const bool mirrors = style == WeightStyle::kZeroSum && k % 2 == 1;
      weight = mirrors ? -group[static_cast<std::size_t>(k - 1)]
                       : raw_weight(style, random.bits(first + static_cast<std::uint64_t>(k)), k, chosen);
      sum += weight;
    }
    const double factor = is_normalised(style) ? scale / sum : scale;
    for (const double weight : group) *out++ = static_cast<T>(weight * factor);
  }
  return Tensor(s.dtype, shape, std::move(bytes));
}

}  // namespace

ValueStyle draw_value_style(Draw& draw) {
  static const std::vector<int> shares{30, 5, 7, 12, 8, 8, 2, 5, 6, 4, 5, 2, 2, 4};
  return static_cast<ValueStyle>(draw.share_of(shares));
}

WeightStyle draw_weight_style(Draw& draw, ValueStyle values) {
  if (values == ValueStyle::kNearOverflow)
    return draw.chance(70) ? WeightStyle::kNormalised : WeightStyle::kEqual;
  static const std::vector<int> shares{30, 6, 10, 14, 5, 6, 4, 5, 7, 4, 4, 3, 2};
  return static_cast<WeightStyle>(draw.share_of(shares));
}

Tensor make_value(const Sketch& sketch, ValueStyle style, const CounterRandom& random) {
  return with_floating(sketch.dtype, [&](auto zero) { return make<decltype(zero)>(sketch, style, random); });
}

Tensor make_weights(const Sketch& sketch, WeightStyle style, const CounterRandom& random) {
  return with_floating(sketch.dtype,
                       [&](auto zero) { return make_weights_of<decltype(zero)>(sketch, style, random); });
}

}  // namespace deformdiff::ms_deform_attn
