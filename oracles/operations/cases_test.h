// Help for the operations' tests: cases from plain numbers, and how far results lie from a reference.
#pragma once

#include "core/dtype_dispatch.h"
#include "core/random.h"
#include "oracles/operations/operations.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace deformdiff::operation {

/// A stream of random choices.
class Dice {
 public:
  explicit Dice(std::uint64_t key) : random_(key) {}
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(random_.below(next_++, static_cast<std::uint64_t>(high - low + 1)));
  }
  double uniform(double low, double high) { return low + (high - low) * random_.uniform(next_++); }
  /// Of random sign, with magnitudes spread over orders.
  double spread(double low_exponent, double high_exponent) {
    return (between(0, 1) == 0 ? -1 : 1) * std::exp2(uniform(low_exponent, high_exponent));
  }
  template <typename T>
  std::vector<T> uniforms(std::int64_t count, double low, double high) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(uniform(low, high));
    return values;
  }

 private:
  CounterRandom random_;
  std::uint64_t next_ = 0;
};

template <typename T>
NamedTensor named(const std::string& name, Shape shape, const std::vector<T>& values) {
  return {name, Tensor::of<T>(kDTypeOf<T>, std::move(shape), values)};
}
inline NamedTensor named(const std::string& name, Shape shape, const std::vector<std::int64_t>& values) {
  return {name, Tensor::of<std::int64_t>(DType::kInt64, std::move(shape), values)};
}
inline NamedTensor named_mask(const std::string& name, Shape shape, const std::vector<int>& values) {
  Tensor::Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return {name, Tensor(DType::kBool, std::move(shape), bytes)};
}

inline OutputReference refer_in(DType dtype, const std::string& operation, Attributes attributes,
                                std::vector<NamedTensor> inputs, const Precision& precision = {}) {
  const Case c{operation, std::move(attributes), std::move(inputs), {}};
  return operation_oracle(operation, dtype).evaluate(c, precision, {}, 1).outputs[0];
}

/// In the dtype of the first floating input; float32 if there is none.
inline OutputReference refer(const std::string& operation, Attributes attributes,
                             std::vector<NamedTensor> inputs, const Precision& precision = {}) {
  const auto floating =
      std::ranges::find_if(inputs, [](const auto& i) { return is_floating(i.tensor.dtype()); });
  const DType dtype = floating == inputs.end() ? DType::kFloat32 : floating->tensor.dtype();
  return refer_in(dtype, operation, std::move(attributes), std::move(inputs), precision);
}

inline std::uint8_t admits(const OutputReference& reference, std::size_t i) {
  return reference.admits.empty() ? static_cast<std::uint8_t>(kAdmitsFinite) : reference.admits[i];
}

/// |error| / bound of one element, infinite where it is not admitted.
inline double ratio_at(const OutputReference& reference, std::size_t i, long double computed) {
  constexpr double kOutside = std::numeric_limits<double>::infinity();
  const std::uint8_t set = admits(reference, i);
  if ((set & kAdmitsAnything) != 0) return 0;
  if (std::isnan(computed)) return (set & kAdmitsNan) != 0 ? 0 : kOutside;
  if (std::isinf(computed))
    return (set & (computed > 0 ? kAdmitsPlusInf : kAdmitsMinusInf)) != 0 ? 0 : kOutside;
  if ((set & kAdmitsFinite) == 0) return kOutside;
  const long double low = reference.value_low.empty() ? 0 : reference.value_low[i];
  const auto error = static_cast<double>(std::fabs((computed - reference.value[i]) - low));
  if (error == 0) return 0;
  return reference.bound[i] == 0 ? kOutside : error / reference.bound[i];
}

/// The largest ratio over all elements.
template <typename T>
double worst(const OutputReference& reference, const std::vector<T>& computed) {
  EXPECT_EQ(reference.value.size(), computed.size());
  double largest = 0;
  for (std::size_t i = 0; i < computed.size(); ++i)
    largest = std::max(largest, ratio_at(reference, i, computed[i]));
  return largest;
}

/// The largest ratio of each formula so far, printed at the end.
class Ratios {
 public:
  explicit Ratios(std::string operation) : operation_(std::move(operation)) {}
  ~Ratios() {
    for (const auto& [formula, ratio] : largest_)
      fmt::print("  {}: {}: {:.3f}\n", operation_, formula, ratio);
  }
  Ratios(const Ratios&) = delete;
  Ratios& operator=(const Ratios&) = delete;

  template <typename T>
  void check(const std::string& formula, const OutputReference& reference, const std::vector<T>& computed) {
    const double ratio = worst(reference, computed);
    EXPECT_LE(ratio, 1) << operation_ << ": " << formula;
    double& largest = largest_[formula + (sizeof(T) == 4 ? " float32" : " float64")];
    largest = std::max(largest, ratio);
    expect_errors_show(reference, computed);
  }

 private:
  /// An element wrong by a little more than two bounds is outside, whatever its own error was.
  template <typename T>
  static void expect_errors_show(const OutputReference& reference, const std::vector<T>& computed) {
    if (computed.empty()) return;
    const std::size_t i = computed.size() / 2;
    if (admits(reference, i) != kAdmitsFinite || !std::isfinite(computed[i])) return;
    const long double wrong =
        computed[i] + 2.01L * reference.bound[i] + static_cast<long double>(std::numeric_limits<T>::min());
    if (wrong == computed[i]) return;
    EXPECT_GT(ratio_at(reference, i, wrong), 1);
  }

  std::string operation_;
  std::map<std::string, double> largest_;
};

using Floats = testing::Types<float, double>;

}  // namespace deformdiff::operation
