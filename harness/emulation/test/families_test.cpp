// Kernels in the style of the released ones, rewritten by emulate.py: they agree with plain loops and nothing
// is reported; with a fault planted, it is.
#include "cuda_runtime.h"
#include "emulation/kernel_error.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#define PLANTED 0
namespace right {
#include "rewritten/families.cuh"
}
#undef PLANTED
#define PLANTED 1
namespace barrier_left_out_by_one {
#include "rewritten/families.cuh"
}
#undef PLANTED
#define PLANTED 2
namespace race_in_a_block {
#include "rewritten/families.cuh"
}
#undef PLANTED
#define PLANTED 3
namespace race_of_blocks {
#include "rewritten/families.cuh"
}
#undef PLANTED
#define PLANTED 4
namespace unwritten_cache {
#include "rewritten/families.cuh"
}
#undef PLANTED
#define PLANTED 5
namespace row_too_far {
#include "rewritten/families.cuh"
}

namespace deformdiff::emulation {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Problem {
  int batch = 2, heads = 2, channels = 4, queries = 3, points = 2;
  std::vector<std::int64_t> shapes{4, 5, 2, 3}, starts{0, 20};
  int rows = 26;
  std::vector<double> value, locations, weights, grad_output;

  int levels() const { return static_cast<int>(starts.size()); }
  explicit Problem(int channels) : channels(channels) {
    auto fill = [random = std::mt19937(7)](std::vector<double>& numbers, int count, double low,
                                           double high) mutable {
      for (int i = 0; i < count; ++i) numbers.push_back(low + (high - low) * (random() % 4096) / 4096.0);
    };
    const int samples = batch * queries * heads * levels() * points;
    fill(value, batch * rows * heads * channels, -1, 1);
    fill(locations, samples * 2, -0.2, 1.2);
    fill(weights, samples, 0, 1);
    fill(grad_output, batch * queries * heads * channels, -1, 1);
  }
};

struct Results {
  std::vector<double> output, grad_value, grad_locations, grad_weights;
};

/// The formula, without a thought for speed.
Results plain_loops(const Problem& p) {
  Results r;
  r.output.resize(p.grad_output.size());
  r.grad_value.resize(p.value.size());
  r.grad_locations.resize(p.locations.size());
  r.grad_weights.resize(p.weights.size());
  for (std::size_t sample = 0; sample < p.weights.size(); ++sample) {
    const int l = static_cast<int>(sample) / p.points % p.levels();
    const int head_row = static_cast<int>(sample) / p.points / p.levels();
    const int m = head_row % p.heads, b = head_row / p.heads / p.queries;
    const double height = p.shapes[2 * l], width = p.shapes[2 * l + 1];
    const double x = p.locations[2 * sample] * width - 0.5, y = p.locations[2 * sample + 1] * height - 0.5;
    for (int corner = 0; corner < 4; ++corner) {
      const double row = std::floor(y) + corner / 2, column = std::floor(x) + corner % 2;
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      const double vertical = 1 - std::abs(y - row), horizontal = 1 - std::abs(x - column);
      const double y_slope = corner / 2 == 0 ? -1 : 1, x_slope = corner % 2 == 0 ? -1 : 1;
      const auto pixel = p.starts[l] + static_cast<std::int64_t>(row * width + column);
      for (int c = 0; c < p.channels; ++c) {
        const auto at = ((b * p.rows + pixel) * p.heads + m) * p.channels + c;
        const int out = head_row * p.channels + c;
        const double v = p.value[at], weight = p.weights[sample], grad = p.grad_output[out];
        r.output[out] += weight * vertical * horizontal * v;
        r.grad_value[at] += weight * vertical * horizontal * grad;
        r.grad_weights[sample] += vertical * horizontal * v * grad;
        r.grad_locations[2 * sample] += weight * width * x_slope * vertical * v * grad;
        r.grad_locations[2 * sample + 1] += weight * height * y_slope * horizontal * v * grad;
      }
    }
  }
  return r;
}

/// The kernels of one of the namespaces above.
template <typename T>
struct Kernels {
  decltype(&right::run_forward<T>) forward;
  decltype(&right::run_backward<T>) backward;
};

template <typename T>
Results with_kernels(const Problem& p, const Kernels<T>& kernels) {
  const auto narrow = [](const std::vector<double>& x) { return std::vector<T>(x.begin(), x.end()); };
  const auto widen = [](const std::vector<T>& x) { return std::vector<double>(x.begin(), x.end()); };
  const std::vector<T> value = narrow(p.value), locations = narrow(p.locations), weights = narrow(p.weights),
                       grad_output = narrow(p.grad_output);
  std::vector<T> output(p.grad_output.size()), grad_value(p.value.size()), grad_locations(p.locations.size()),
      grad_weights(p.weights.size());
  const auto buffer = [](const auto& x, const char* name) {
    return Buffer{x.data(), x.size() * sizeof x[0], name};
  };
  const BufferScope scope({buffer(p.shapes, "shapes"), buffer(p.starts, "starts"), buffer(value, "value"),
                           buffer(locations, "locations"), buffer(weights, "weights"),
                           buffer(grad_output, "grad_output"), buffer(output, "output"),
                           buffer(grad_value, "grad_value"), buffer(grad_locations, "grad_locations"),
                           buffer(grad_weights, "grad_weights")});
  kernels.forward(nullptr, value.data(), p.shapes.data(), p.starts.data(), locations.data(), weights.data(),
                  p.batch, p.rows, p.heads, p.channels, p.levels(), p.queries, p.points, output.data());
  kernels.backward(nullptr, grad_output.data(), value.data(), p.shapes.data(), p.starts.data(),
                   locations.data(), weights.data(), p.batch, p.rows, p.heads, p.channels, p.levels(),
                   p.queries, p.points, grad_value.data(), grad_locations.data(), grad_weights.data());
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  return {widen(output), widen(grad_value), widen(grad_locations), widen(grad_weights)};
}

template <typename T>
void expect_agreement(const Problem& problem, double tolerance) {
  const Results wanted = plain_loops(problem);
  const Results found = with_kernels<T>(problem, {right::run_forward<T>, right::run_backward<T>});
  const auto close = ::testing::Pointwise(::testing::DoubleNear(tolerance), wanted.output);
  EXPECT_THAT(found.output, close);
  EXPECT_THAT(found.grad_value, ::testing::Pointwise(::testing::DoubleNear(tolerance), wanted.grad_value));
  EXPECT_THAT(found.grad_locations,
              ::testing::Pointwise(::testing::DoubleNear(tolerance), wanted.grad_locations));
  EXPECT_THAT(found.grad_weights,
              ::testing::Pointwise(::testing::DoubleNear(tolerance), wanted.grad_weights));
}

/// One number of channels of each family, and odd ones.
class EachFamily : public ::testing::TestWithParam<int> {};

TEST_P(EachFamily, AgreesWithPlainLoops) {
  const Problem problem(GetParam());
  expect_agreement<double>(problem, 1e-11);
  expect_agreement<float>(problem, 2e-3);
}

TEST_P(EachFamily, AgreesInEverySchedule) {
  for (const std::uint64_t seed : {1, 2}) {
    set_schedule(seed);
    expect_agreement<double>(Problem(GetParam()), 1e-11);
  }
  set_schedule(0);
}

INSTANTIATE_TEST_SUITE_P(, EachFamily, ::testing::Values(1, 4, 32, 64, 3, 30, 71, 96, 513, 1024));

std::string fault_of(int channels, const Kernels<double>& kernels) {
  try {
    with_kernels<double>(Problem(channels), kernels);
  } catch (const KernelError& error) {
    return error.what();
  }
  return "";
}

#define KERNELS(name) \
  { name::run_forward<double>, name::run_backward<double> }

TEST(PlantedFault, IsReportedInEachFamilyThatHasIt) {
  // Without a barrier thread 0 reads what others are to write, before or after they do.
  const auto race =
      AnyOf(HasSubstr("a race: no barrier since"), HasSubstr("before this block has written them"));
  EXPECT_EQ(fault_of(1, KERNELS(race_in_a_block)), "");  // one thread has nobody to race with
  for (const int channels : {4, 3}) {
    EXPECT_THAT(fault_of(channels, KERNELS(barrier_left_out_by_one)), race) << channels;
  }
  for (const int channels : {4, 3, 64, 71, 1024}) {
    EXPECT_THAT(fault_of(channels, KERNELS(race_in_a_block)), race) << channels;
    EXPECT_THAT(fault_of(channels, KERNELS(unwritten_cache)), HasSubstr("before this block has written them"))
        << channels;
  }
  for (const int channels : {4, 3, 64, 71, 1024, 513}) {
    EXPECT_THAT(fault_of(channels, KERNELS(race_of_blocks)), HasSubstr("of grad_value, at byte")) << channels;
  }
  EXPECT_THAT(fault_of(4, KERNELS(row_too_far)),
              AllOf(HasSubstr("kernel forward_kernel<scalar_t>"), HasSubstr("outside any buffer")));
}

}  // namespace
}  // namespace deformdiff::emulation
