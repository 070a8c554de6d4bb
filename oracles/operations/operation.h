// From an operation's evaluators to its oracle.
#pragma once

#include "core/oracle.h"
#include "oracles/operations/evaluator.h"

#include <memory>

namespace deformdiff::operation {

template <typename T>
Reference refer(Evaluator<T>& evaluator, int threads);
template <typename T>
Explanation explain(Evaluator<T>& evaluator, std::int64_t element);
template <typename T>
std::string element_class(Evaluator<T>& evaluator, std::int64_t element);
template <typename T>
std::int64_t memory(const Evaluator<T>& evaluator);

extern template Reference refer(Evaluator<float>&, int);
extern template Reference refer(Evaluator<double>&, int);
extern template Explanation explain(Evaluator<float>&, std::int64_t);
extern template Explanation explain(Evaluator<double>&, std::int64_t);
extern template std::string element_class(Evaluator<float>&, std::int64_t);
extern template std::string element_class(Evaluator<double>&, std::int64_t);
extern template std::int64_t memory(const Evaluator<float>&);
extern template std::int64_t memory(const Evaluator<double>&);

Setting setting_of(DType dtype, const Precision& precision);

/// The dtype of a floating input; throws InputError unless it is float32 or float64.
DType dtype_of_input(const Case& c, const char* name);
/// The dtype that attribute `bits` asks for.
DType dtype_of_bits(const Case& c);

/// An oracle of evaluators `Of<T>(case, setting)`; `Of<T>::computes_in(case)` says which T.
template <template <typename> class Of>
class Operation : public Oracle {
 public:
  Reference evaluate(const Case& c, const Precision& precision, const Contract& /*contract*/,
                     int threads) const override {
    return with(c, precision, [&](auto& evaluator) { return refer(evaluator, threads); });
  }
  Explanation explain(const Case& c, const Precision& precision, const Contract& /*contract*/,
                      const std::string& /*output*/, std::int64_t element) const override {
    return with(c, precision, [&](auto& evaluator) { return operation::explain(evaluator, element); });
  }
  std::string element_class(const Case& c, const std::string& /*output*/,
                            std::int64_t element) const override {
    return with(c, {}, [&](auto& evaluator) { return operation::element_class(evaluator, element); });
  }
  std::int64_t memory(const Case& c) const override {
    return with(c, {}, [&](auto& evaluator) { return operation::memory(evaluator); });
  }

 private:
  template <typename Work>
  static auto with(const Case& c, const Precision& precision, const Work& work) {
    const DType dtype = Of<float>::computes_in(c);
    if (dtype == DType::kFloat32) {
      Of<float> evaluator(c, setting_of(dtype, precision));
      return work(static_cast<Evaluator<float>&>(evaluator));
    }
    Of<double> evaluator(c, setting_of(dtype, precision));
    return work(static_cast<Evaluator<double>&>(evaluator));
  }
};

template <template <typename> class Of>
const Oracle& oracle_of() {
  static const Operation<Of> instance;
  return instance;
}

}  // namespace deformdiff::operation
