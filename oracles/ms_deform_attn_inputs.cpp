#include "oracles/ms_deform_attn_inputs.h"

#include <algorithm>
#include <cmath>

namespace deformdiff::ms_deform_attn {

template <typename T>
Inputs<T>::Inputs(const Problem& problem, const Contract& contract)
    : dims_(problem.dims),
      levels_(problem.levels),
      value_(problem.value),
      locations_(problem.sampling_loc.contiguous()),
      weights_(problem.attn_weight.contiguous()),
      zeros_(static_cast<std::size_t>(problem.dims.D), T(0)) {
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
  largest_value_ = survey(rows_.data(), static_cast<std::int64_t>(rows_.size()));
  largest_location_ = survey(locations_.storage_as<T>(), locations_.elements());
  largest_weight_ = survey(weights_.storage_as<T>(), weights_.elements());
}

template <typename T>
void Inputs<T>::copy_value() {
  rows_.resize(static_cast<std::size_t>(value_.elements()));
  T* to = rows_.data();
  const Shape& strides = value_.strides();
  for (std::int64_t n = 0; n < dims_.N; ++n) {
    for (std::int64_t m = 0; m < dims_.M; ++m) {
      for (std::int64_t s = 0; s < dims_.S; ++s, to += dims_.D) {
        const T* from =
            value_.storage_as<T>() + value_.offset() + n * strides[0] + s * strides[1] + m * strides[2];
        for (std::int64_t d = 0; d < dims_.D; ++d) {
          const T v = from[d * strides[3]];
          to[d] = std::isfinite(v) ? v : T(0);
          has_nonfinite_ = has_nonfinite_ || !std::isfinite(v);
        }
      }
    }
  }
}

template <typename T>
double Inputs<T>::survey(const T* values, std::int64_t count) {
  T largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const T magnitude = std::fabs(values[i]);
    if (std::isfinite(magnitude)) {
      largest = std::max(largest, magnitude);
    } else {
      has_nonfinite_ = true;
    }
  }
  return static_cast<double>(largest);
}

template class Inputs<float>;
template class Inputs<double>;

}  // namespace deformdiff::ms_deform_attn
