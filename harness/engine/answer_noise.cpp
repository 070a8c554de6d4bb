#include "engine/answer_noise.h"

#include "core/error.h"
#include "core/number.h"

#include <cmath>
#include <limits>
#include <utility>

namespace deformdiff {
namespace {

long double product_of(const std::vector<long double>& a, const std::vector<long double>& b) {
  long double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void take_off(const std::vector<long double>& basis, std::vector<long double>& numbers) {
  const long double part = product_of(basis, numbers);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] -= part * basis[i];
}

/// Powers 0 to `degree` of places from -1 to 1, at squares from there, each made orthogonal to those before
/// it, twice (Parlett, The Symmetric Eigenvalue Problem, 6-9: twice is enough), and of length 1.
std::vector<std::vector<long double>> orthonormal_polynomials(std::size_t places, int degree) {
  std::vector<std::vector<long double>> basis;
  for (int power = 0; power <= degree; ++power) {
    std::vector<long double> next;
    for (std::size_t i = 0; i < places; ++i) {
      const long double part = static_cast<long double>(i + 1) / static_cast<long double>(places);
      const long double place = 2 * part * part - 1;
      next.push_back(std::pow(place, power));
    }
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<long double>& each : basis) take_off(each, next);
    }
    const long double length = std::sqrt(product_of(next, next));
    for (long double& each : next) each /= length;
    basis.push_back(std::move(next));
  }
  return basis;
}

}  // namespace

AnswerNoise::AnswerNoise(std::vector<const Tensor*> answers, int degree)
    : answers_(std::move(answers)), basis_(orthonormal_polynomials(answers_.size(), degree)) {
  DEFORMDIFF_CHECK(answers_.size() > basis_.size());
}

double AnswerNoise::at(std::size_t element) const {
  const DType dtype = answers_.front()->dtype();
  const std::size_t width = size_of(dtype);
  std::vector<long double> numbers;
  for (const Tensor* answer : answers_) {
    const double number = load_number(dtype, answer->storage().data() + element * width);
    if (!std::isfinite(number)) return std::numeric_limits<double>::quiet_NaN();
    numbers.push_back(number);
  }
  for (const std::vector<long double>& each : basis_) take_off(each, numbers);
  const auto freedom = static_cast<long double>(answers_.size() - basis_.size());
  return static_cast<double>(std::sqrt(product_of(numbers, numbers) / freedom));
}

}  // namespace deformdiff
