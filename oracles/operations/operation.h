// From an operation's evaluators to its oracles: what core/oracle.h promises, of elements that an evaluator
// computes tile by tile. Shapes, dtypes and formulas of the operations are in operations.h.
#pragma once

#include "core/oracle.h"
#include "oracles/operations/evaluator.h"

namespace deformdiff::operation {

/// Each prepares the evaluator, which must be fresh.
template <typename T>
Reference refer(Evaluator<T>& evaluator, int threads);
template <typename T>
Explanation explain(Evaluator<T>& evaluator, std::int64_t element);
template <typename T>
std::vector<std::string> element_classes(Evaluator<T>& evaluator, std::span<const std::int64_t> elements);

/// How a subject of this precision computes in `dtype`. Integers do not round.
Setting setting_of(DType dtype, const Precision& precision);

/// The oracle of the evaluators `Of(case, setting)` for subjects whose steps round in `dtype`.
template <typename Of>
class Operation : public Oracle {
 public:
  explicit Operation(DType dtype) : dtype_(dtype) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& /*contract*/,
                     int threads) const override {
    Of evaluator(c, setting_of(dtype_, precision));
    return refer(evaluator, threads);
  }
  Explanation explain(const Case& c, const Precision& precision, const Contract& /*contract*/,
                      std::int64_t element) const override {
    Of evaluator(c, setting_of(dtype_, precision));
    return operation::explain(evaluator, element);
  }
  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    Of evaluator(c, setting_of(dtype_, {}));
    return operation::element_classes(evaluator, elements);
  }

 private:
  DType dtype_;
};

/// The oracle of Of<T>, T the type that holds numbers of `dtype`: floats of 16 bits are held as float32, in a
/// case of float32 tensors.
template <template <typename> class Of>
const Oracle& oracle_of(DType dtype) {
  return with_format(dtype, []<typename T, DType format>() -> const Oracle& {
    static const Operation<Of<T>> instance(format);
    return instance;
  });
}

}  // namespace deformdiff::operation
