// The errors of LibTorch's functions, measured against what its implementations declare.
#include "subjects/function_subject.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using Function = at::Tensor (*)(const at::Tensor&);
using Exact = long double (*)(long double);

struct Measured {
  const char* name;
  double FunctionUlps::*declared;
  Function function;
  Exact exact;
  Exact scale;           ///< of whose unit in the last place errors are counted
  double low, high;      ///< of arguments in float32; float64's results stay in its range there too
  double own_roundings;  ///< in ULPs: what the measurement adds to the function's own error
};

void PrintTo(const Measured& measured, std::ostream* stream) {
  *stream << measured.name;
}

/// exp as softmax has it, up to two quotients: softmax of (x, 0) is (e, 1) / (e + 1).
at::Tensor exp_of_softmax(const at::Tensor& x) {
  const at::Tensor pair = at::softmax(at::stack({x, at::zeros_like(x)}, -1), -1);
  return pair.select(-1, 0) / pair.select(-1, 1);
}

long double power(long double exponent) {
  return std::pow(10000.0L, exponent);
}

/// Half of the arguments uniform, half of every size up to the larger end.
template <typename T>
at::Tensor arguments(double low, double high, at::ScalarType type) {
  constexpr std::int64_t kCount = 1 << 20;
  at::Tensor x = at::empty({kCount}, type);
  T* values = x.data_ptr<T>();
  const double largest = std::log2(std::max(std::abs(low), std::abs(high)));
  std::uint64_t state = 1;
  const auto uniform = [&state] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state >> 11) * 0x1p-53;
  };
  for (std::int64_t i = 0; i < kCount; ++i) {
    if (i % 2 == 0) {
      values[i] = static_cast<T>(low + (high - low) * uniform());
    } else {
      const double magnitude = std::exp2(largest - 30 * uniform());
      values[i] = static_cast<T>(i % 4 == 1 && low < 0 ? -magnitude : magnitude);
    }
  }
  return x.clamp(low, high);
}

/// The larger of |erf(z)| and 1 + erf(z), as gelu multiplies it with x / 2: z = x / sqrt(2).
long double gelu_scale(long double x) {
  const long double z = x / std::numbers::sqrt2_v<long double>;
  return std::fabs(x / 2) * std::max(std::fabs(std::erf(z)), std::erfc(-z));
}

long double gelu(long double x) {
  return x / 2 * std::erfc(-x / std::numbers::sqrt2_v<long double>);
}

/// The largest error, in units in the last place of the scale.
template <typename T>
double largest_error(const Measured& measured, at::ScalarType type) {
  const at::Tensor x = arguments<T>(measured.low, measured.high, type);
  const at::Tensor y = measured.function(x).contiguous();
  double largest = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const long double exact = measured.exact(static_cast<long double>(x.data_ptr<T>()[i]));
    const long double scale = measured.scale(static_cast<long double>(x.data_ptr<T>()[i]));
    const int exponent = std::max(std::ilogb(scale), std::numeric_limits<T>::min_exponent - 1);
    const long double ulp = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
    const long double error = std::fabs(static_cast<long double>(y.data_ptr<T>()[i]) - exact) / ulp;
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, static_cast<double>(error));
  }
  return largest;
}

class FunctionUlpsOfLibTorch : public testing::TestWithParam<Measured> {};

TEST_P(FunctionUlpsOfLibTorch, AreAsDeclared) {
  const Measured& measured = GetParam();
  for (const auto& info : {fused_info("cpu"), composite_info("composite")}) {
    const double declared = info.precision.ulps.*measured.declared;
    const double single = largest_error<float>(measured, at::kFloat);
    const double wide = largest_error<double>(measured, at::kDouble);
    RecordProperty("float32", std::to_string(single));
    RecordProperty("float64", std::to_string(wide));
    EXPECT_LE(single, declared + measured.own_roundings) << "float32";
    EXPECT_LE(wide, declared + measured.own_roundings) << "float64";
    // A declaration far above what is true would hide faults.
    EXPECT_GE(std::max(single, wide), declared / 8);
  }
}

// pow as the positions have it: of a temperature, by exponents from 0 to 1.
INSTANTIATE_TEST_SUITE_P(
    Measured, FunctionUlpsOfLibTorch,
    testing::Values(Measured{"exp", &FunctionUlps::exp, [](const at::Tensor& x) { return x.exp(); }, std::exp,
                             std::exp, -80, 80, 0},
                    Measured{"exp_of_softmax", &FunctionUlps::exp, exp_of_softmax, std::exp, std::exp, -60, 0,
                             2},
                    Measured{"tanh", &FunctionUlps::tanh, [](const at::Tensor& x) { return at::tanh(x); },
                             std::tanh, std::tanh, -9, 9, 0},
                    Measured{"sin", &FunctionUlps::sin_cos, [](const at::Tensor& x) { return at::sin(x); },
                             std::sin, std::sin, -1e4, 1e4, 0},
                    Measured{"cos", &FunctionUlps::sin_cos, [](const at::Tensor& x) { return at::cos(x); },
                             std::cos, std::cos, -1e4, 1e4, 0},
                    Measured{"erf_of_gelu", &FunctionUlps::erf,
                             [](const at::Tensor& x) { return at::gelu(x); }, gelu, gelu_scale, -9, 9, 2},
                    Measured{"pow", &FunctionUlps::pow, [](const at::Tensor& x) { return at::pow(10000, x); },
                             power, power, 0, 1, 0}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace deformdiff::worker
