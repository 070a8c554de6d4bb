// The logistic function, which threshold judges too.
#pragma once

#include "oracles/operations/element.h"

namespace deformdiff::operation {

/// 1 / (1 + exp(-x)) in T, with the bound of its three stable formulas (README, "Softmax and sigmoid"). x may
/// be infinite; a NaN is demanded for a NaN.
template <typename T>
void sigmoid_of(T x, const Setting& setting, Element<T>& out);

}  // namespace deformdiff::operation
