// The CUDA kernels on the host under AddressSanitizer and UndefinedBehaviorSanitizer, which end the process
// at the first access outside an array, or of a vector that is not aligned.
#include "core/dtype.h"
#include "core/random.h"
#include "core/tensor.h"
#include "emulation/buffers.h"
#include "emulation/launch.h"
#include "subjects/ms_deform_attn/cuda/emulated_kernels.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 3, kQueries = 5, kLevels = 2, kPoints = 3, kRows = 19;
constexpr std::int64_t kGroups = kBatch * kQueries * kHeads;

/// Types of value and of locations.
struct Types {
  DType value, location;
};

constexpr Types kTypes[] = {{DType::kFloat64, DType::kFloat64}, {DType::kFloat32, DType::kFloat32},
                            {DType::kFloat16, DType::kFloat16}, {DType::kBFloat16, DType::kBFloat16},
                            {DType::kFloat16, DType::kFloat32}, {DType::kBFloat16, DType::kFloat32}};

Element element_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return Element::kFloat64;
    case DType::kFloat32:
      return Element::kFloat32;
    case DType::kFloat16:
      return Element::kFloat16;
    default:
      return Element::kBFloat16;
  }
}

/// Numbers on the heap, of exactly their size; `shift` elements behind where an allocation begins.
class Array {
 public:
  Array(std::string name, DType dtype, const std::vector<double>& numbers, std::int64_t shift = 0)
      : name_(std::move(name)),
        dtype_(dtype),
        count_(static_cast<std::int64_t>(numbers.size())),
        shift_(shift) {
    const Tensor tensor = convert(Tensor::of<double>(DType::kFloat64, {count_}, numbers), dtype);
    bytes_ = std::make_unique<std::byte[]>(tensor.storage().size() + offset());
    std::copy(tensor.storage().begin(), tensor.storage().end(), bytes_.get() + offset());
  }

  void* data() { return bytes_.get() + offset(); }
  emulation::Buffer buffer(bool read_only) {
    return {data(), static_cast<std::size_t>(count_) * size_of(dtype_), name_, read_only};
  }
  std::vector<double> numbers() const {
    const auto size = static_cast<std::size_t>(count_) * size_of(dtype_);
    const std::byte* const begin = bytes_.get() + offset();
    const Tensor wide =
        convert(Tensor(dtype_, {count_}, Tensor::Bytes(begin, begin + size)), DType::kFloat64);
    return {wide.values<double>().begin(), wide.values<double>().end()};
  }

 private:
  std::size_t offset() const { return static_cast<std::size_t>(shift_) * size_of(dtype_); }

  std::string name_;
  DType dtype_;
  std::int64_t count_, shift_;
  std::unique_ptr<std::byte[]> bytes_;
};

std::vector<double> drawn(std::int64_t count, std::uint64_t seed, double low, double high) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = low + (high - low) * static_cast<double>(CounterRandom(seed).below(i, 1024)) / 1024;
  return numbers;
}

/// Two maps of ones, of 5 x 3 and 2 x 2 pixels, with points well inside.
class Problem {
 public:
  Problem(Types types, std::int64_t channels, std::int64_t shift = 0)
      : types_(types),
        channels_(channels),
        value_("value", types.value, std::vector<double>(count(kBatch * kRows * kHeads), 1), shift),
        locations_("sampling_loc", types.location, drawn(kGroups * kLevels * kPoints * 2, 1, 0.4, 0.6),
                   shift),
        weights_("attn_weight", types.location, drawn(kGroups * kLevels * kPoints, 2, 0, 1), shift),
        grad_output_("grad_output", types.value, drawn(kGroups * channels, 3, -1, 1), shift),
        output_("output", types.value, std::vector<double>(count(kGroups)), shift),
        grad_value_("grad_value", types.value == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32,
                    std::vector<double>(count(kBatch * kRows * kHeads)), shift),
        grad_locations_("grad_sampling_loc", types.location,
                        std::vector<double>(kGroups * kLevels * kPoints * 2), shift),
        grad_weights_("grad_attn_weight", types.location, std::vector<double>(kGroups * kLevels * kPoints),
                      shift) {}

  void set_locations(const std::vector<double>& numbers) {
    locations_ = Array("sampling_loc", types_.location, numbers);
  }

  std::vector<double> forward() {
    const emulation::BufferScope scope({spatial_shapes(), level_starts(), value_.buffer(true),
                                        locations_.buffer(true), weights_.buffer(true),
                                        output_.buffer(false)});
    run_emulated(ForwardTask{task(), output_.data()});
    return output_.numbers();
  }

  void backward(bool deterministic) {
    const emulation::BufferScope scope({spatial_shapes(), level_starts(), value_.buffer(true),
                                        locations_.buffer(true), weights_.buffer(true),
                                        grad_output_.buffer(true), grad_value_.buffer(false),
                                        grad_locations_.buffer(false), grad_weights_.buffer(false)});
    run_emulated(BackwardTask{task(), grad_output_.data(), grad_value_.data(), grad_locations_.data(),
                              grad_weights_.data(), deterministic});
  }

  std::vector<double> weights() const { return weights_.numbers(); }
  std::vector<double> grad_output() const { return grad_output_.numbers(); }
  std::vector<double> grad_value() const { return grad_value_.numbers(); }
  std::vector<double> grad_weights() const { return grad_weights_.numbers(); }

 private:
  std::size_t count(std::int64_t rows) const { return static_cast<std::size_t>(rows * channels_); }
  emulation::Buffer spatial_shapes() {
    return {shapes_.data(), sizeof shapes_[0] * shapes_.size(), "shapes", true};
  }
  emulation::Buffer level_starts() {
    return {starts_.data(), sizeof starts_[0] * starts_.size(), "starts", true};
  }

  Task task() {
    return {element_of(types_.value),
            element_of(types_.location),
            kBatch,
            kRows,
            kHeads,
            channels_,
            kQueries,
            kLevels,
            kPoints,
            shapes_.data(),
            starts_.data(),
            value_.data(),
            locations_.data(),
            weights_.data()};
  }

  Types types_;
  std::int64_t channels_;
  std::vector<std::int64_t> shapes_{5, 3, 2, 2}, starts_{0, 15};
  Array value_, locations_, weights_, grad_output_, output_, grad_value_, grad_locations_, grad_weights_;
};

/// At least the type's unit roundoff, and what float32 coordinates cost.
double unit_of(DType dtype) {
  return dtype == DType::kFloat16 ? 0x1p-10 : dtype == DType::kBFloat16 ? 0x1p-7 : 1e-5;
}

/// Of so many numbers that follow one another, by their first.
std::vector<double> sums_of(const std::vector<double>& numbers, std::int64_t together) {
  std::vector<double> sums(numbers.size() / static_cast<std::size_t>(together));
  for (std::size_t i = 0; i < numbers.size(); ++i) sums[i / static_cast<std::size_t>(together)] += numbers[i];
  return sums;
}

std::vector<double> magnitudes(std::vector<double> numbers) {
  for (double& number : numbers) number = std::abs(number);
  return numbers;
}

/// On maps of ones an output is the sum of its weights, and so on.
void expect_sums(Types types, std::int64_t channels, std::int64_t shift = 0) {
  const double unit = unit_of(types.value);
  Problem problem(types, channels, shift);
  const std::vector<double> weights = sums_of(problem.weights(), kLevels * kPoints);
  const std::vector<double> gradients = sums_of(problem.grad_output(), channels);
  const std::vector<double> sizes = sums_of(magnitudes(problem.grad_output()), channels);
  const std::vector<double> output = problem.forward();
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double wanted = weights[i / static_cast<std::size_t>(channels)];
    ASSERT_NEAR(output[i], wanted, 2 * unit * wanted) << i;
  }
  for (const bool deterministic : {false, true}) {
    Problem fresh(types, channels, shift);
    fresh.backward(deterministic);
    const std::vector<double> grad_weights = fresh.grad_weights();
    for (std::size_t i = 0; i < grad_weights.size(); ++i) {
      const std::size_t query = i / (kLevels * kPoints);
      ASSERT_NEAR(grad_weights[i], gradients[query], unit * sizes[query]) << i;
    }
    // What is added up is float32, or float64, for every type.
    double wanted = 0, found = 0, size = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      wanted += weights[i] * gradients[i];
      size += weights[i] * sizes[i];
    }
    for (const double number : fresh.grad_value()) found += number;
    ASSERT_NEAR(found, wanted, 1e-4 * size);
  }
}

TEST(SanitizedKernels, SumOnMapsOfOnes) {
  for (const Types types : kTypes) {
    for (const std::int64_t channels : {1, 2, 3, 4, 8, 33, 64, 136, 264}) {
      for (const std::uint64_t schedule : {0U, 1U}) {
        SCOPED_TRACE(testing::Message() << name_of(types.value) << ", " << channels << " channels");
        emulation::set_schedule(schedule);
        expect_sums(types, channels);
        emulation::set_schedule(0);
      }
    }
  }
}

TEST(SanitizedKernels, TakeArraysThatDoNotLieAt16Bytes) {
  for (const Types types : kTypes) {
    for (const std::int64_t channels : {8, 32, 64}) expect_sums(types, channels, 1);
  }
}

/// Borders, corners and far outside.
TEST(SanitizedKernels, TouchNothingElseWhereverPointsAre) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kPlaces[] = {0,   1,    -0.01,    1.01,      -1e30, 1e30, 0.1,
                                0.9, kNan, INFINITY, -INFINITY, -0.1,  1.1};
  std::vector<double> locations(kGroups * kLevels * kPoints * 2);
  for (std::size_t i = 0; i < locations.size(); ++i)
    locations[i] = kPlaces[CounterRandom(7).below(i, std::size(kPlaces))];
  for (const Types types : kTypes) {
    for (const std::int64_t channels : {1, 3, 8, 32, 40}) {
      Problem problem(types, channels);
      problem.set_locations(locations);
      EXPECT_EQ(problem.forward().size(), static_cast<std::size_t>(kGroups * channels));
      for (const bool deterministic : {false, true}) problem.backward(deterministic);
    }
  }
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
