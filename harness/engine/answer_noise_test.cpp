#include "engine/answer_noise.h"

#include "core/random.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// One tensor a place, of elements value(place, element).
std::vector<Tensor> answers(std::size_t places, std::int64_t elements,
                            const std::function<double(std::size_t, std::int64_t)>& value) {
  std::vector<Tensor> tensors;
  for (std::size_t place = 0; place < places; ++place) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < elements; ++i) numbers.push_back(value(place, i));
    tensors.push_back(Tensor::of<double>(DType::kFloat64, {elements}, numbers));
  }
  return tensors;
}

AnswerNoise noise_of(const std::vector<Tensor>& tensors, int degree) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& tensor : tensors) pointers.push_back(&tensor);
  return AnswerNoise(pointers, degree);
}

double cubic(std::size_t place, std::int64_t element) {
  const auto root = static_cast<double>(place + 1);
  const double x = root * root / 20;
  return static_cast<double>(element) + 2 * x - x * x / 4 + x * x * x / 64;
}

TEST(AnswerNoise, APolynomialOfTheDegreeHasNone) {
  const std::vector<Tensor> tensors = answers(20, 3, cubic);
  const AnswerNoise of_degree = noise_of(tensors, 3), of_less = noise_of(tensors, 2);
  for (const std::size_t i : {0, 1, 2}) {
    EXPECT_LT(of_degree.at(i), 1e-14);
    EXPECT_GT(of_less.at(i), 0.1) << "of a lower degree something is left";
  }
}

TEST(AnswerNoise, IsTheStandardDeviationBesideThePolynomial) {
  constexpr std::int64_t kElements = 400;
  const CounterRandom random(1);
  // Uniform in [-1, 1]: of variance 1/3.
  const std::vector<Tensor> tensors = answers(20, kElements, [&](std::size_t place, std::int64_t element) {
    const auto i = static_cast<std::uint64_t>(element) * 20 + place;
    return 100 * cubic(place, element) + 2 * random.uniform(i) - 1;
  });
  const AnswerNoise noise = noise_of(tensors, 3);
  double squares = 0;
  for (std::size_t i = 0; i < kElements; ++i) squares += noise.at(i) * noise.at(i);
  EXPECT_NEAR(squares / kElements, 1.0 / 3, 0.02);
}

TEST(AnswerNoise, IsUnknownWhereAnAnswerIsNotFinite) {
  const std::vector<Tensor> tensors = answers(8, 2, [](std::size_t place, std::int64_t element) {
    return place == 5 && element == 1 ? INFINITY : 1;
  });
  const AnswerNoise noise = noise_of(tensors, 1);
  EXPECT_LT(noise.at(0), 1e-15);
  EXPECT_TRUE(std::isnan(noise.at(1)));
}

}  // namespace
}  // namespace deformdiff
