#include "oracles/ms_deform_attn/inputs.h"

#include "oracles/arithmetic/lanes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace deformdiff::ms_deform_attn {

template <typename T>
Inputs<T>::Inputs(const Problem& problem, const Contract& contract)
    : dims_(problem.dims),
      levels_(problem.levels),
      value_(problem.value),
      locations_(problem.sampling_loc.contiguous()),
      weights_(problem.attn_weight.contiguous()),
      location_data_(locations_.storage_as<T>()),
      weight_data_(weights_.storage_as<T>()),
      zeros_(static_cast<std::size_t>(problem.dims.D) + kRowPadding, T(0)) {
  if (contract.level_start_index == LevelStartIndex::kIgnored) {
    std::int64_t start = 0;
    for (Level& level : levels_) {
      level.start = start;
      start += level.height * level.width;
      if (start > dims_.S) {
        throw InputError(
            "block ms_deform_attn: spatial_shapes: the levels together need more rows than value has, "
            "which a subject that ignores level_start_index cannot be given");
      }
    }
  }
  copy_value();
  largest_value_ = survey(rows_.data(), value_.elements());
  if (has_nonfinite_) {
    std::replace_if(
        rows_.begin(), rows_.end(), [](T v) { return !std::isfinite(v); }, T(0));
  }
  largest_location_ = survey(locations_.storage_as<T>(), locations_.elements());
  largest_weight_ = survey(weights_.storage_as<T>(), weights_.elements());
}

template <typename T>
void Inputs<T>::copy_value() {
  rows_.resize(static_cast<std::size_t>(value_.elements()) + kRowPadding);
  T* to = rows_.data();
  const Shape& strides = value_.strides();
  for (std::int64_t n = 0; n < dims_.N; ++n) {
    for (std::int64_t m = 0; m < dims_.M; ++m) {
      const T* from = value_.storage_as<T>() + value_.offset() + n * strides[0] + m * strides[2];
      for (std::int64_t s = 0; s < dims_.S; ++s, to += dims_.D, from += strides[1]) {
        if (strides[3] == 1) {
          std::copy_n(from, dims_.D, to);
        } else {
          for (std::int64_t d = 0; d < dims_.D; ++d) to[d] = from[d * strides[3]];
        }
      }
    }
  }
}

namespace {

/// Magnitudes are ordered as their bits are, NaN and infinity above all numbers; integers compare in vectors.
struct FindLargest {
  template <typename T>
  DEFORMDIFF_INLINE static void run(const T* values, std::int64_t count, T* largest) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    Bits most = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const Bits bits = std::bit_cast<Bits>(values[i]) & std::numeric_limits<Bits>::max();
      most = bits > most ? bits : most;
    }
    *largest = std::bit_cast<T>(most);
  }
};

}  // namespace

template <typename T>
double Inputs<T>::survey(const T* values, std::int64_t count) {
  T largest = 0;
  run_on_lanes<FindLargest>(values, count, &largest);
  if (std::isfinite(largest)) return static_cast<double>(largest);
  has_nonfinite_ = true;
  T largest_finite = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) largest_finite = std::max(largest_finite, std::fabs(values[i]));
  }
  return static_cast<double>(largest_finite);
}

template class Inputs<float>;
template class Inputs<double>;

}  // namespace deformdiff::ms_deform_attn
