// How far an implementation's answers are scattered by its own rounding, measured from answers on a line of
// cases. Method: oracles/README.md, rule 8.
#pragma once

#include "core/tensor.h"

#include <cstddef>
#include <vector>

namespace deformdiff {

/// Of one output. The answers are to cases at distances as 1, 4, 9, ..., of which exact arithmetic makes a
/// polynomial of the degree, element by element. Equal distances would meet equal roundings, where they are a
/// multiple of the steps in which an implementation counts.
class AnswerNoise {
 public:
  /// Contiguous tensors of one dtype and shape, more than degree + 1 of them; they must outlive this.
  AnswerNoise(std::vector<const Tensor*> answers, int degree);

  /// The standard deviation of the error of an element of an answer: root mean square of what remains beside
  /// the best polynomial, for the degrees of freedom that are left. NaN where an answer is not finite.
  double at(std::size_t element) const;

 private:
  std::vector<const Tensor*> answers_;
  std::vector<std::vector<long double>> basis_;  ///< orthonormal polynomials at the answers' places
};

}  // namespace deformdiff
