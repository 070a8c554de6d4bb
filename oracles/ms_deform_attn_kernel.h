// The two loops over channels that take nearly all of the oracle's time. No contraction: the same bits on
// every machine, whichever vector width is used.
#pragma once

#include <array>
#include <cstdint>

namespace deformdiff::ms_deform_attn {

/// How the bound of an element grows with the four corner values of one sampling point.
struct BoundTerms {
  std::array<double, 4> magnitude{};  ///< |a| w_c
  std::array<double, 4> absolute{};   ///< factor of |v_c|
  double near_x = 1, far_x = 0, near_y = 1, far_y = 0;
  double shift_x = 0, shift_y = 0, shift_xy = 0;  ///< |a| times shifts; factors of the local slopes
};

/// value[d] += sum over corners of weights[c] * corners[c][d].
void add_value(const std::array<const float*, 4>& corners, const std::array<double, 4>& weights,
               std::int64_t channels, double* value);
void add_value(const std::array<const double*, 4>& corners, const std::array<long double, 4>& weights,
               std::int64_t channels, long double* value);

/// magnitude[d] += sum of terms.magnitude[c] |v_c|; bound[d] += sum of terms.absolute[c] |v_c| + shift_x |Sx|
/// + ...
void add_bound(const std::array<const float*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude);
void add_bound(const std::array<const double*, 4>& corners, const BoundTerms& terms, std::int64_t channels,
               double* bound, double* magnitude);

}  // namespace deformdiff::ms_deform_attn
