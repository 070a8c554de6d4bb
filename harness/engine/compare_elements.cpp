#include "engine/compare_elements.h"

#include "core/dtype_dispatch.h"
#include "core/random.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

namespace deformdiff {
namespace {

/// One finite element beside its interval.
struct Distance {
  double error;   ///< |got - (value + low)|, rounded
  double excess;  ///< error - bound; its sign is exact; NaN if `got` is not finite
};

/// The difference is kept as an unevaluated sum (TwoSum: Knuth, The Art of Computer Programming 2, 4.2.2,
/// theorem B), so that neither `low` nor the tail of got - value is lost beside the bound.
inline Distance distance(double got, double value, double low, double bound) {
  const double head = got - value;
  const double back = head - got;
  const double tail = ((got - (head - back)) - (value + back)) - low;
  const double sum = head + tail;
  const double sign = sum < 0 ? -1.0 : 1.0;
  return {std::abs(sum), (sign * head - bound) + sign * tail};
}

inline double ratio_of(const Distance& d, double bound) {
  const double quotient = d.error / bound;
  return d.error == 0 ? 0 : quotient;
}

/// Where a finite number is beside an interval.
struct Position {
  bool outside;
  double ratio;  ///< above 1 exactly if it is outside
};

Position position(double got, double value, double low, double bound) {
  const Distance d = distance(got, value, low, bound);
  // An overflowing difference of two finite numbers is NaN here: outside, unless everything is inside.
  const bool outside = !(d.excess <= 0) && bound != std::numeric_limits<double>::infinity();
  double ratio = ratio_of(d, bound);
  if (std::isnan(ratio)) ratio = outside ? std::numeric_limits<double>::infinity() : 0;
  // The quotient is rounded, the decision is not: what is outside has a ratio above 1, the rest has not.
  return {outside, outside ? std::max(ratio, std::nextafter(1.0, 2.0)) : std::min(ratio, 1.0)};
}

constexpr std::size_t kChunk = 1024;

/// Elements are looked at in chunks: a vectorised pass without branches says whether anything in the chunk
/// is worth a closer look.
template <typename T>
class ElementScan {
 public:
  ElementScan(const T* got, const OutputReference& reference, std::size_t listed, RatioHistogram* ratios)
      : got_(got), reference_(reference), listed_(listed), ratios_(ratios) {}

  ElementFindings run() {
    const std::size_t total = reference_.value.size();
    for (std::size_t begin = 0; begin < total; begin += kChunk) {
      const std::size_t end = std::min(begin + kChunk, total);
      if (reference_.admits.empty() && !has_alternatives(end)) {
        scan_finite(begin, end);
      } else {
        for (std::size_t i = begin; i < end; ++i) look_at(i, admits(i), true);
      }
    }
    return std::move(found_);
  }

 private:
  std::uint8_t admits(std::size_t i) const {
    return reference_.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite) : reference_.admits[i];
  }

  /// Whether one of the elements before `end` that were not looked at has several intervals.
  bool has_alternatives(std::size_t end) const {
    return alternative_ < reference_.alternatives.size() &&
           reference_.alternatives[alternative_].element < static_cast<std::int64_t>(end);
  }

  double low(std::size_t i) const { return reference_.value_low.empty() ? 0 : reference_.value_low[i]; }

  template <bool kHasLow>
  std::pair<std::int64_t, std::uint32_t> measure(std::size_t begin, std::size_t count, float* ratio) const {
    const T* got = got_ + begin;
    const double* value = reference_.value.data() + begin;
    const double* bound = reference_.bound.data() + begin;
    const double* tail = kHasLow ? reference_.value_low.data() + begin : nullptr;
    std::int64_t violations = 0;
    std::uint32_t largest = 0;  // floats that are not negative order as their bits do, NaN last
    for (std::size_t i = 0; i < count; ++i) {
      const Distance d = distance(got[i], value[i], kHasLow ? tail[i] : 0.0, bound[i]);
      violations += d.excess <= 0 ? 0 : 1;
      ratio[i] = static_cast<float>(ratio_of(d, bound[i]));
      largest = std::max(largest, std::bit_cast<std::uint32_t>(ratio[i]));
    }
    return {violations, largest};
  }

  void scan_finite(std::size_t begin, std::size_t end) {
    std::array<float, kChunk> ratio;
    const std::size_t count = end - begin;
    const auto [violations, largest] = reference_.value_low.empty()
                                           ? measure<false>(begin, count, ratio.data())
                                           : measure<true>(begin, count, ratio.data());
    if (violations > 0) {
      for (std::size_t i = begin; i < end; ++i) look_at(i, kAdmitsFinite, true);
      return;
    }
    if (largest > largest_bits_ || found_.worst < 0) {
      largest_bits_ = largest;
      for (std::size_t i = 0; i < count; ++i) {
        if (std::bit_cast<std::uint32_t>(ratio[i]) == largest) look_at(begin + i, kAdmitsFinite, false);
      }
    }
    if (ratios_ != nullptr) ratios_->add(std::span(ratio.data(), count), found_.worst_ratio);
  }

  void note(std::size_t i, std::int64_t& count, std::vector<std::int64_t>& list,
            ElementSample& sample) const {
    ++count;
    const auto element = static_cast<std::int64_t>(i);
    if (list.size() < listed_) list.push_back(element);
    // The values make it another sample for each case of one shape.
    sample.add(element, CounterRandom(std::bit_cast<std::uint64_t>(reference_.value[i])).bits(i));
  }

  void note_nonfinite(std::size_t i) {
    note(i, found_.nonfinite, found_.nonfinite_elements, found_.nonfinite_sample);
  }

  void look_at(std::size_t i, std::uint8_t admits, bool add_ratio) {
    const auto got = static_cast<double>(got_[i]);
    if ((admits & kAdmitsAnything) != 0) {
      ++found_.unjudged.elements;
      found_.unjudged.nonfinite += std::isfinite(got) ? 0 : 1;
      return;
    }
    if (!std::isfinite(got)) {
      if ((admits & kind_of(got)) == 0) note_nonfinite(i);
      return;
    }
    if ((admits & kAdmitsFinite) == 0) {
      note_nonfinite(i);
      return;
    }
    Position at = position(got, reference_.value[i], low(i), reference_.bound[i]);
    for (; has_alternatives(i + 1); ++alternative_) {
      const Alternative& other = reference_.alternatives[alternative_];
      if (other.element < static_cast<std::int64_t>(i)) continue;  // of one that no number was asked of
      const Position beside = position(got, other.value, other.value_low, other.bound);
      if (beside.ratio < at.ratio) at = beside;
    }
    const auto [outside, ratio] = at;
    if (outside) note(i, found_.outside, found_.outside_elements, found_.outside_sample);
    if (found_.worst < 0 || ratio > found_.worst_ratio) {
      found_.worst = static_cast<std::int64_t>(i);
      found_.worst_ratio = ratio;
    }
    if (add_ratio && ratios_ != nullptr) {
      const auto narrow = static_cast<float>(ratio);
      ratios_->add(std::span(&narrow, 1), ratio);
    }
  }

  const T* got_;
  const OutputReference& reference_;
  std::size_t listed_;
  RatioHistogram* ratios_;
  std::uint32_t largest_bits_ = 0;
  std::size_t alternative_ = 0;  ///< the first of an element that was not looked at
  ElementFindings found_;
};

}  // namespace

ElementFindings compare_elements(const Tensor& got, const OutputReference& reference, std::size_t listed,
                                 RatioHistogram* ratios) {
  DEFORMDIFF_CHECK(static_cast<std::size_t>(got.elements()) == reference.value.size() &&
                   reference.bound.size() == reference.value.size());
  const Tensor packed = got.contiguous();
  if (is_sixteen_bits(packed.dtype())) {
    const Tensor wide = convert(packed, DType::kFloat32);
    return ElementScan(wide.values<float>().data(), reference, listed, ratios).run();
  }
  if (is_floating(packed.dtype())) {
    return with_floating(packed.dtype(), [&]<typename T>(T /*of*/) {
      return ElementScan(packed.values<T>().data(), reference, listed, ratios).run();
    });
  }
  std::vector<double> widened(reference.value.size());
  for (std::size_t i = 0; i < widened.size(); ++i) widened[i] = packed.element(static_cast<std::int64_t>(i));
  return ElementScan<double>(widened.data(), reference, listed, ratios).run();
}

}  // namespace deformdiff
