// layer_norm and group_norm. The derivation is in oracles/README.md, "Operations".
#include "oracles/arithmetic/parallel.h"
#include "oracles/operations/operation.h"
#include "oracles/operations/oracles.h"

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Roundings that a term of a sum of n passes at most: any order up to kAnyOrder terms, partial sums of at
/// most so many or n/256 terms beyond; and five for each level of a tree of Chan's pairwise updates.
double depth_of(double n) {
  constexpr double kAnyOrder = 2048, kPartialSums = 256;
  return std::min(n - 1, std::max(kAnyOrder, n / kPartialSums)) + 5 * std::ceil(std::log2(std::max(n, 1.0)));
}

/// Sum of f(x) in blocks: its own error stays far below that of the sums it judges.
template <typename T, typename F>
Wide<T> sum_of(std::span<const T> x, const F& f) {
  constexpr std::size_t kBlock = 256;
  Wide<T> total = 0;
  for (std::size_t first = 0; first < x.size(); first += kBlock) {
    Wide<T> sums[4] = {0, 0, 0, 0};
    const std::size_t last = std::min(x.size(), first + kBlock);
    std::size_t i = first;
    for (; i + 4 <= last; i += 4) {
      for (std::size_t k = 0; k < 4; ++k) sums[k] += f(static_cast<Wide<T>>(x[i + k]));
    }
    for (; i < last; ++i) sums[0] += f(static_cast<Wide<T>>(x[i]));
    total += (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  return total;
}

/// What the elements of one group share.
template <typename T>
struct Moments {
  Wide<T> mean = 0, scale = 0;  ///< scale: 1 / sqrt(var + eps)
  double mean_error = 0;        ///< absolute, the largest over the covered formulas
  double scale_error = 0;       ///< relative; infinite where nothing is known
  std::uint8_t kind = kAdmitsFinite;
};

template <typename T>
Moments<T> moments_of(std::span<const T> x, double eps, const Rounding& rounding, bool centred) {
  const auto n = static_cast<double>(x.size());
  const Wide<T> total = sum_of(x, [](Wide<T> t) { return t; });
  Moments<T> moments;
  if (!std::isfinite(total)) {
    moments.kind = kAdmitsNan;
    return moments;
  }
  moments.mean = total / n;
  const Wide<T> mean = moments.mean;
  const Wide<T> wide_variance = sum_of(x, [mean](Wide<T> t) { return (t - mean) * (t - mean); }) / n;
  const auto variance = static_cast<double>(wide_variance);
  const auto mean_size = static_cast<double>(sum_of(x, [](Wide<T> t) { return std::abs(t); }) / n);
  const double middle = static_cast<double>(std::abs(mean)), square = variance + middle * middle;
  // What is summed: the elements, and the squares of themselves or of their distances from a mean.
  if (!(n * std::max(mean_size, centred ? variance : square) < rounding.largest / 4)) {
    moments.kind = kAdmitsAnything;
    return moments;
  }
  moments.scale = 1 / std::sqrt(wide_variance + static_cast<Wide<T>>(eps));
  const double u = rounding.unit, depth = depth_of(n), flush = rounding.flush_to_zero ? rounding.tiny : 0;
  const bool single = x.size() == 1;
  moments.mean_error =
      single ? 0 : u * (depth + 2 * std::log(n) + 6) * mean_size + 2 * rounding.underflow + 2 * flush;
  // Two passes, whose mean is off; Welford's and Chan's updates; E[x^2] - mean^2.
  const double mean_square = moments.mean_error * moments.mean_error;
  const double two_passes = u * (depth + 5) * variance + mean_square;
  const double welford = u * ((depth + 4) * variance + 2 * std::sqrt(2.0) * (depth + 2 * std::log(n) + 6) *
                                                           mean_size * std::sqrt(variance)) +
                         mean_square;
  const double one_pass =
      u * ((depth + 3) * square + 2 * middle * (depth + 2) * mean_size + middle * middle + variance);
  const double variance_error = std::max({two_passes, welford, centred ? 0 : one_pass}) +
                                4 * (rounding.underflow + flush) + 2 * flush * middle;
  // No correct variance is negative: where rounding may make it so, it is clamped at 0. eps may underflow.
  const double sum = variance + eps, eps_error = rounding.underflow + flush;
  const double lost = (std::min(variance_error, variance) + eps_error) / sum;
  const double gained = (variance_error + eps_error) / sum;
  // (1 - lost)^(-1/2) - 1 or 1 - (1 + gained)^(-1/2), the sum with eps and eps itself, and a square root with
  // a division (2 u) or a reciprocal square root of two ULPs (4 u).
  const double apart = std::max(std::expm1(-std::log1p(-lost) / 2), -std::expm1(-std::log1p(gained) / 2));
  moments.scale_error =
      lost < 1 ? apart + (1 + apart) * (1 + 4) * u : std::numeric_limits<double>::infinity();
  return moments;
}

template <typename T>
class Norm : public Elementwise<T> {
 public:
  void prepare(int threads) override {
    const auto size = static_cast<std::size_t>(size_);
    moments_.resize(size == 0 ? 0 : x_.size() / size);
    const auto groups = static_cast<std::int64_t>(moments_.size());
    const std::int64_t per_chunk = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(size_, 1));
    for_each_chunk((groups + per_chunk - 1) / per_chunk, threads, [&](std::int64_t chunk) {
      const auto last = static_cast<std::size_t>(std::min(groups, (chunk + 1) * per_chunk));
      for (auto i = static_cast<std::size_t>(chunk * per_chunk); i < last; ++i)
        moments_[i] = moments_of(x_.subspan(i * size, size), eps_, this->rounding(), centred_);
    });
  }

  std::vector<std::string> describe(std::int64_t element) const override {
    const Moments<T>& m = moments_[static_cast<std::size_t>(element / size_)];
    return {fmt::format(
        "group {} of {} elements: mean {:.9g} +- {:.2g}, 1 / sqrt(variance + eps) {:.9g}, relative "
        "error up to {:.2g}; x {:.9g}, weight {:.9g}, bias {:.9g}",
        element / size_, size_, static_cast<double>(m.mean), m.mean_error, static_cast<double>(m.scale),
        m.scale_error, x_[static_cast<std::size_t>(element)], weight_[channel_of(element)],
        bias_[channel_of(element)])};
  }

 protected:
  /// Groups of `size` elements behind one another; `inner` elements behind one another share a channel.
  /// `centred`: the variance is that of x - mean.
  Norm(const Case& c, const Setting& setting, std::int64_t size, std::int64_t inner, bool centred)
      : Elementwise<T>(setting, c.input("x").shape(), roundings_of(size)),
        x_(floats<T>(c, "x")),
        weight_(floats<T>(c, "weight")),
        bias_(floats<T>(c, "bias")),
        size_(size),
        inner_(inner),
        centred_(centred),
        eps_(c.number("eps")) {
    require(weight_.size() == bias_.size(), c, "weight and bias do not fit each other");
  }

 private:
  static double roundings_of(std::int64_t size) { return depth_of(static_cast<double>(size)) + 60; }
  std::size_t channel_of(std::int64_t element) const {
    return static_cast<std::size_t>(element / inner_) % weight_.size();
  }

  void element(std::int64_t index, Element<T>& out) const override {
    const Moments<T>& m = moments_[static_cast<std::size_t>(index / size_)];
    const T x = x_[static_cast<std::size_t>(index)];
    const T weight = weight_[channel_of(index)], bias = bias_[channel_of(index)];
    if (m.kind == kAdmitsNan || std::isnan(weight) || std::isnan(bias)) {
      out.admits = kAdmitsNan;
      return;
    }
    if (m.kind != kAdmitsFinite || !std::isfinite(weight) || !std::isfinite(m.scale_error))
      return admit_anything(out);
    if (!std::isfinite(bias)) return demand<T>(bias, out);
    const double u = this->unit();
    const Wide<T> factor = m.scale * weight, centred = x - m.mean;
    out.value = centred * factor + bias;
    // Of the formulas' intermediate results; the computed factor may be `reach` times as large.
    const double reach = 1 + m.scale_error, size = static_cast<double>(std::abs(factor)) * reach;
    const double distance = static_cast<double>(std::abs(centred)) * size;
    const double middle = static_cast<double>(std::abs(m.mean)) * size;
    const double whole = std::abs(static_cast<double>(x)) * size;
    const double bias_size = std::abs(static_cast<double>(bias));
    if (!(size + whole + middle + bias_size <= this->rounding().largest)) return admit_anything(out);
    const double moved = m.scale_error / reach;
    const double result = static_cast<double>(std::abs(out.value)) + moved * distance;
    const double shift = static_cast<double>(std::abs(bias - m.mean * factor)) + moved * middle;
    out.magnitude = (whole + middle) / reach + bias_size;
    out.terms[kMoments] = m.mean_error * size + moved * distance;
    // ((x - mean) r) w + b; x (r w) + (b - mean r w); (x r - mean r) w + b.
    const double apart = 3 * distance;
    const double fused = whole + middle + distance + std::max(distance, shift);
    out.terms[kRounding] = u * (std::max(apart, fused) + result);
    // Products and sums; flushed operands times what they are multiplied with.
    const double scale = static_cast<double>(m.scale) * reach,
                 weight_size = std::abs(static_cast<double>(weight));
    out.terms[kUnderflow] =
        (3 + 2 * weight_size + scale + 2 * size + whole + middle) * (this->underflow() + this->flush()) +
        (std::abs(static_cast<double>(x)) + static_cast<double>(std::abs(m.mean))) * scale * this->flush();
  }

  std::span<const T> x_, weight_, bias_;
  std::int64_t size_, inner_;
  bool centred_;
  double eps_;
  std::vector<Moments<T>> moments_;
};

template <typename T>
class LayerNorm : public Norm<T> {
 public:
  LayerNorm(const Case& c, const Setting& setting)
      : Norm<T>(c, setting, channels(c), 1, setting.variance != Variance::kAny) {}

 private:
  static std::int64_t channels(const Case& c) {
    const Shape& x = c.input("x").shape();
    require(!x.empty() && c.input("weight").shape() == Shape{x.back()}, c, "weight must be [C]");
    return x.back();
  }
};

template <typename T>
class GroupNorm : public Norm<T> {
 public:
  GroupNorm(const Case& c, const Setting& setting)
      : Norm<T>(c, setting, size(c), pixels(c), setting.variance == Variance::kCentred) {}

 private:
  static std::int64_t pixels(const Case& c) {
    const Shape& x = c.input("x").shape();
    require(x.size() == 4 && c.input("weight").shape() == Shape{x[1]}, c,
            "x must be [B, C, H, W], weight [C]");
    return x[2] * x[3];
  }
  static std::int64_t size(const Case& c) {
    const std::int64_t groups = c.attribute("groups"), area = pixels(c), channels = c.input("x").dim(1);
    require(groups > 0 && channels % groups == 0, c, "groups must divide the channels");
    return channels / groups * area;
  }
};

}  // namespace

OperationTable norms_operations() {
  return {{"layer_norm", oracle_of<LayerNorm>}, {"group_norm", oracle_of<GroupNorm>}};
}

}  // namespace deformdiff::operation
