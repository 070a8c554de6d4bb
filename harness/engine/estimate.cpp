#include "engine/estimate.h"

#include "core/dtype.h"
#include "core/number.h"
#include "core/sixteen_bits.h"
#include "core/telling.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff {
namespace {

template <typename Value>
Tensor made(const OutputReference& output, const Value& value) {
  const std::size_t size = size_of(output.dtype), count = output.value.size();
  Tensor::Bytes bytes(count * size);
  for (std::size_t i = 0; i < count; ++i) store_number(value(i), output.dtype, bytes.data() + i * size);
  return Tensor(output.dtype, output.shape, std::move(bytes));
}

/// The middle of an element's interval, which for float64 is not a double.
long double middle_at(const OutputReference& output, std::size_t i) {
  const long double low = output.value_low.empty() ? 0 : output.value_low[i];
  return output.value[i] + low;
}

/// The number that stands for an element whose set has no finite ones: a NaN, which hides what other numbers
/// there would lead to, only where there is no choice.
long double special_value(std::uint8_t admits) {
  if ((admits & kAdmitsPlusInf) != 0) return HUGE_VAL;
  if ((admits & kAdmitsMinusInf) != 0) return -HUGE_VAL;
  return std::nan("");
}

std::uint8_t admits_at(const OutputReference& output, std::size_t i) {
  return output.admits.empty() ? std::uint8_t{kAdmitsFinite} : output.admits[i];
}

bool admits_anything(const OutputReference& output, std::size_t i) {
  return (admits_at(output, i) & kAdmitsAnything) != 0;
}

bool is_finite_at(const OutputReference& output, std::size_t i) {
  return (admits_at(output, i) & (kAdmitsFinite | kAdmitsAnything)) != 0;
}

/// One of the kinds of number that an element may be.
std::uint8_t draw_kind(std::uint8_t admits, std::uint64_t choice) {
  std::vector<std::uint8_t> kinds;
  for (const std::uint8_t kind : {kAdmitsFinite, kAdmitsNan, kAdmitsPlusInf, kAdmitsMinusInf}) {
    if ((admits & kind) != 0) kinds.push_back(kind);
  }
  return kinds.empty() ? std::uint8_t{kAdmitsNan} : kinds[choice % kinds.size()];
}

/// The least or the largest value of the set of each element: `side` is -1 or 1.
Tensor end_of(const OutputReference& output, double side) {
  return made(output, [&](std::size_t i) -> long double {
    if (admits_anything(output, i)) return side * HUGE_VAL;
    if (!is_finite_at(output, i)) return special_value(output.admits[i]);
    return middle_at(output, i) + side * output.bound[i];
  });
}

}  // namespace

Tensor middle_of(const OutputReference& output) {
  return made(output, [&](std::size_t i) {
    return is_finite_at(output, i) ? middle_at(output, i) : special_value(output.admits[i]);
  });
}

Tensor draw_from(const OutputReference& output, const CounterRandom& all_draws, std::size_t draw) {
  const bool bits = output.dtype == DType::kBool;
  const CounterRandom random = all_draws.stream(draw);
  return made(output, [&](std::size_t i) -> long double {
    if (admits_anything(output, i)) return std::nan("");
    if (!output.admits.empty()) {
      const std::uint8_t kind = draw_kind(output.admits[i], all_draws.bits(i) % kDraws + draw);
      if (kind != kAdmitsFinite) return special_value(kind);
    }
    const double bound = output.bound[i];
    if (bound == 0 || !std::isfinite(bound)) return middle_at(output, i);
    if (bits) return random.bits(i) % 2 == 0 ? 0 : 1;
    return middle_at(output, i) + bound * (2 * random.uniform(i) - 1);
  });
}

double step_at(DType dtype, double value) {
  const FloatFormat format = float_format(dtype);
  return 2 * format.unit_roundoff * std::abs(value) + format.smallest_subnormal;
}

void add_ends(const OutputReference& output, std::vector<Tensor>& draws) {
  for (const double side : {-1.0, 1.0}) draws.push_back(end_of(output, side));
}

Widening::Widening(OutputReference& middle)
    : middle_(middle),
      squares_(middle.value.size(), 0),
      bounds_(middle.bound),
      admits_(middle.admits.empty() ? std::vector<std::uint8_t>(middle.value.size(), kAdmitsFinite)
                                    : middle.admits) {}

void Widening::add(const OutputReference& draw, bool varied) {
  ++draws_;
  varied_ = varied_ || varied;
  for (std::size_t i = 0; i < squares_.size(); ++i) {
    // What some draws make infinite or a NaN is not estimated from the others, nor which of these it is.
    const bool finite = is_finite_at(draw, i) && is_finite_at(middle_, i);
    if (admits_anything(draw, i) || (!finite && admits_at(draw, i) != admits_at(middle_, i))) {
      admits_[i] |= kAdmitsAnything;
      continue;
    }
    admits_[i] |= admits_at(draw, i);
    // Squares of numbers near 1e-200 are no doubles, and of float64 much of the difference is in the low
    // parts.
    const long double away = middle_at(draw, i) - middle_at(middle_, i);
    squares_[i] += away * away;
    bounds_[i] = std::max(bounds_[i], draw.bound[i]);
  }
}

void Widening::apply() {
  const double factor = estimate_factor(static_cast<std::int64_t>(squares_.size()));
  for (std::size_t i = 0; i < squares_.size(); ++i) {
    if (middle_.dtype == DType::kBool) {
      // A bit that differs between draws, or between the ends of what it is made from, may be either.
      if (squares_[i] > 0 || bounds_[i] > 0) middle_.value[i] = middle_.bound[i] = 0.5;
      continue;
    }
    const auto distance = static_cast<double>(std::sqrt(squares_[i] / static_cast<long double>(draws_)));
    // Draws of 16 bits that are rounded alike hide a step of what was drawn, and one of what follows.
    const bool hides = varied_ && is_sixteen_bits(middle_.dtype);
    middle_.bound[i] =
        bounds_[i] + std::max(factor * distance, hides ? 2 * step_at(middle_.dtype, middle_.value[i]) : 0);
    if (std::isnan(middle_.bound[i])) admits_[i] |= kAdmitsAnything;
  }
  const bool special = std::ranges::any_of(admits_, [](std::uint8_t each) { return each != kAdmitsFinite; });
  if (special) middle_.admits = std::move(admits_);
}

void count_telling(Reference& reference) {
  const OutputReference& output = reference.outputs.front();
  const std::size_t elements = output.value.size();
  // Squares of doubles may be none.
  long double squares = 0, finite = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    if (admits_at(output, i) != kAdmitsFinite) continue;
    squares += static_cast<long double>(output.value[i]) * output.value[i];
    ++finite;
  }
  const auto typical = static_cast<double>(std::sqrt(squares / std::max(1.0L, finite)));
  Tally tally;
  for (std::size_t i = 0; i < elements; ++i) {
    const bool is_finite = admits_at(output, i) == kAdmitsFinite;
    const bool narrow = is_finite && kEstimatedSets.is_narrow(output.bound[i], typical);
    tally.count(narrow, true, output.value[i] != 0 || !is_finite);
  }
  tell(tally, kEstimatedSets, reference);
}

double estimate_factor(std::int64_t elements) {
  // P(|t| > x) for Student's t with an even number n of degrees of freedom, by its finite series (Abramowitz
  // and Stegun, 26.7.4): 1 - sin(a) (1 + 1/2 cos^2 a + 1*3/(2*4) cos^4 a + ...), tan a = x / sqrt(n). For
  // large x the difference cancels; the tail of the series is summed instead.
  constexpr int kFreedom = static_cast<int>(kDraws);
  static_assert(kFreedom % 2 == 0);
  const auto tail = [](double x) {
    const double cosine2 = kFreedom / (kFreedom + x * x);
    // sin(a) times the full series is 1: what the finite one leaves out is the tail.
    double term = 1, sum = 0;
    for (int k = 1; k < kFreedom / 2 + 2000; ++k) {
      term *= cosine2 * (2 * k - 1) / (2 * k);
      if (k >= kFreedom / 2) sum += term;
      if (term < 1e-40 && k > kFreedom / 2) break;
    }
    return std::sqrt(1 - cosine2) * sum;
  };
  const double wanted = kFalseAlarm / static_cast<double>(std::max<std::int64_t>(1, elements));
  double low = 1, high = 1e6;
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (tail(middle) > wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace deformdiff
