// The type that an oracle computes in, for a subject that computes in T.
#pragma once

namespace deformdiff {

/// Type: at least 11 bits wider than T. kOwnError: relative allowance for the oracle's own rounding, in the
/// value and in the bound (README, "The oracle's own error"): at most 6 u_oracle / u of the bound for the
/// value, and a few hundred 2^-53 for the bound itself.
template <typename T>
struct WiderThan;
template <>
struct WiderThan<float> {
  using Type = double;
  static constexpr double kOwnError = 0x1p-20;
};
template <>
struct WiderThan<double> {
  using Type = long double;
  static constexpr double kOwnError = 0x1p-8;
};

}  // namespace deformdiff
