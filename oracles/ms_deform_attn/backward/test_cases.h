// Help for the tests of the gradients' oracles: cases and sets.
#pragma once

#include "core/reference.h"
#include "oracles/ms_deform_attn/backward/oracle.h"
#include "oracles/ms_deform_attn/test_cases.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// A case of the forward and the gradient of its output, [N, Q, M*D].
template <typename T>
struct BackwardCase : PlainCase<T> {
  std::vector<T> gradient;

  BackwardCase() = default;
  explicit BackwardCase(PlainCase<T> forward) : PlainCase<T>(std::move(forward)) { resize_gradient(); }

  void resize_gradient() {
    const Dims& k = this->dims;
    gradient.assign(static_cast<std::size_t>(k.N * k.Q * k.M * k.D), 1);
  }
  Case build() const {
    const Dims& k = this->dims;
    Case c = PlainCase<T>::build();
    c.block = "ms_deform_attn_backward";
    c.inputs.push_back({"grad_output", Tensor::of<T>(kDTypeOf<T>, {k.N, k.Q, k.M * k.D}, gradient)});
    return c;
  }
};

/// Row-major, in the shapes of the outputs.
template <typename T>
struct Gradients {
  std::vector<T> value, location, weight;
};

struct GradientReferences {
  Reference value, location, weight;
};

inline GradientReferences refer(const Case& c, const Precision& precision = {}, const Contract& contract = {},
                                int threads = 1) {
  const DType dtype = c.input("value").dtype();
  return {value_gradient_oracle(dtype).evaluate(c, precision, contract, threads),
          location_gradient_oracle(dtype).evaluate(c, precision, contract, threads),
          weight_gradient_oracle(dtype).evaluate(c, precision, contract, threads)};
}

/// Error / bound, 0 for 0 / 0.
template <typename T>
double ratio_in(T got, double value, double low, double bound) {
  if (!std::isfinite(static_cast<double>(got))) return std::numeric_limits<double>::infinity();
  const auto error = std::fabs(static_cast<double>((static_cast<__float128>(got) - value) - low));
  if (error == 0) return 0;
  return bound > 0 ? error / bound : std::numeric_limits<double>::infinity();
}

/// Every element's distance from the nearest of its intervals over the bound; 0 where it may be anything.
template <typename T>
std::vector<double> ratios_of(const std::vector<T>& got, const OutputReference& wanted) {
  std::vector<double> ratios(got.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double low = wanted.value_low.empty() ? 0 : wanted.value_low[i];
    double ratio = ratio_in(got[i], wanted.value[i], low, wanted.bound[i]);
    for (; next < wanted.alternatives.size() &&
           wanted.alternatives[next].element == static_cast<std::int64_t>(i);
         ++next) {
      const Alternative& other = wanted.alternatives[next];
      ratio = std::min(ratio, ratio_in(got[i], other.value, other.value_low, other.bound));
    }
    if (!wanted.admits.empty() && (wanted.admits[i] & kAdmitsAnything) != 0) ratio = 0;
    ratios[i] = ratio;
  }
  return ratios;
}

template <typename T>
double largest_ratio(const std::vector<T>& got, const OutputReference& wanted) {
  const std::vector<double> ratios = ratios_of(got, wanted);
  return ratios.empty() ? 0 : *std::max_element(ratios.begin(), ratios.end());
}

template <typename T>
BackwardCase<T> tricky_backward(std::uint64_t key) {
  BackwardCase<T> c(tricky_case<T>(key));
  Dice dice(key + 1000000);
  fill_tricky_values(dice, c.gradient);
  return c;
}

/// As models have them: several levels, weights that add up to 1, most points inside.
template <typename T>
BackwardCase<T> typical_backward(std::uint64_t key, std::int64_t channels = 8) {
  PlainCase<T> plain;
  plain.dims = {1, 0, 2, channels, 60, 1, 4};
  plain.set_levels({{13, 17}, {7, 9}, {3, 4}});
  plain.resize();
  BackwardCase<T> c(std::move(plain));
  Dice dice(key);
  const auto normal = [&dice] { return (dice.uniform(-1, 1) + dice.uniform(-1, 1)) + dice.uniform(-1, 1); };
  for (T& v : c.value) v = static_cast<T>(normal());
  for (T& g : c.gradient) g = static_cast<T>(normal());
  for (T& t : c.locations) t = static_cast<T>(dice.uniform(-0.03, 1.03));
  for (T& a : c.weights) a = static_cast<T>(dice.uniform(0, 1) / 6);
  return c;
}

}  // namespace deformdiff::ms_deform_attn
