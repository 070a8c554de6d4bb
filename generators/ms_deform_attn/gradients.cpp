#include "generators/ms_deform_attn/gradients.h"

#include "core/dtype_dispatch.h"
#include "generators/common/normal_fill.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {
namespace {

Shape gradient_shape(const Dims& d) {
  return {d.N, d.Q, d.M * d.D};
}

template <typename T>
Tensor normal_tensor(DType dtype, const Shape& shape, double scale, const CounterRandom& random) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  Tensor::Bytes bytes(count * sizeof(T));
  T* const out = reinterpret_cast<T*>(bytes.data());
  fill_normal(random, count, out);
  if (scale != 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] *= static_cast<T>(scale);
  }
  return Tensor(dtype, shape, std::move(bytes));
}

Tensor normal_tensor(DType dtype, const Shape& shape, double scale, const CounterRandom& random) {
  return with_floating(dtype,
                       [&](auto zero) { return normal_tensor<decltype(zero)>(dtype, shape, scale, random); });
}

double element(GradientStyle style, std::int64_t row, std::int64_t channel, const CounterRandom& random,
               std::uint64_t word) {
  switch (style) {
    case GradientStyle::kIntegers:
      return static_cast<double>(((word >> 32) * 17) >> 32) - 8;
    case GradientStyle::kSparse: {
      const bool there = random.stream(1).below(static_cast<std::uint64_t>(row), 4) == 0;
      return there ? normal(word) : ((word & 15) == 0 ? -0.0 : 0.0);
    }
    case GradientStyle::kWide:
      return std::ldexp(((word >> 32) & 1) != 0 ? -1 : 1, static_cast<int>((word >> 40) % 41) - 20);
    case GradientStyle::kCancellation:
      return (row % 2 == 0 ? 10000 : -10000) + normal(word);
    case GradientStyle::kTags:
      return 1 + 3.0 * static_cast<double>(row) + 0.25 * static_cast<double>(channel);
    default:
      return 0;
  }
}

template <typename T>
Tensor styled(DType dtype, const Shape& shape, GradientStyle style, const CounterRandom& random) {
  std::vector<T> elements(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    elements[i] = static_cast<T>(element(style, at / shape[2], at % shape[2], random, random.bits(i)));
  }
  if (style == GradientStyle::kOneHot && !elements.empty())
    elements[static_cast<std::size_t>(random.stream(2).below(0, elements.size()))] = 1;
  return Tensor::of<T>(dtype, shape, elements);
}

/// `row`, [M*D], for every batch and query.
Tensor expanded_row(const Tensor& row, const Shape& shape) {
  return Tensor(row.dtype(), shape, {0, 0, 1}, 0, row.shared_storage());
}

}  // namespace

GradientStyle draw_gradient_style(Draw& draw, double largest_value, DType dtype) {
  const double overflow = dtype == DType::kFloat64 ? 0x1p900 : 0x1p90;
  if (largest_value > overflow) return GradientStyle::kTiny;
  static const std::vector<int> shares{28, 8, 4, 5, 8, 10, 8, 2, 8, 6, 5, 4, 4};
  return static_cast<GradientStyle>(draw.share_of(shares));
}

Tensor make_gradient(const Dims& dims, DType dtype, GradientStyle style, const CounterRandom& random) {
  const Shape shape = gradient_shape(dims);
  const std::int64_t elements = element_count(shape);
  switch (style) {
    case GradientStyle::kNormal:
      return normal_tensor(dtype, shape, 1, random);
    case GradientStyle::kTiny:
      return normal_tensor(dtype, shape, 0x1p-40, random);
    case GradientStyle::kLarge:
      return normal_tensor(dtype, shape, 0x1p16, random);
    case GradientStyle::kOnes:
      return repeated(1, dtype, shape);
    case GradientStyle::kMean:
      return repeated(1 / static_cast<double>(std::max<std::int64_t>(1, elements)), dtype, shape);
    case GradientStyle::kRow:
      if (elements == 0) return Tensor(dtype, shape, {});
      return expanded_row(normal_tensor(dtype, {shape[2]}, 1, random), shape);
    default:
      return with_floating(dtype,
                           [&](auto zero) { return styled<decltype(zero)>(dtype, shape, style, random); });
  }
}

Tensor with_nonfinite(const Tensor& gradient, std::int64_t channels, Draw& draw) {
  if (gradient.elements() == 0) return gradient;
  return with_floating(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Limits = std::numeric_limits<T>;
    std::vector<T> elements(gradient.values<T>().begin(), gradient.values<T>().end());
    for (std::int64_t count = draw.between(1, 3); count > 0; --count) {
      const T bad = draw.one_of<T>({Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()});
      const std::int64_t at = draw.between(0, gradient.elements() - 1);
      const bool whole_head = draw.chance(30);
      const std::int64_t first = whole_head ? at / channels * channels : at;
      std::fill_n(elements.begin() + first, whole_head ? channels : 1, bad);
    }
    return Tensor::of<T>(gradient.dtype(), gradient.shape(), elements);
  });
}

Tensor repeated(double number, DType dtype, const Shape& shape) {
  if (element_count(shape) == 0) return Tensor(dtype, shape, {});
  const Tensor one = with_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    return Tensor::of<T>(dtype, {}, std::vector<T>{static_cast<T>(number)});
  });
  return Tensor(dtype, shape, Shape(shape.size(), 0), 0, one.shared_storage());
}

}  // namespace deformdiff::ms_deform_attn
