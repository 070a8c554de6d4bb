// The logistic function, which threshold judges too.
#pragma once

#include "oracles/operations/element.h"

namespace deformdiff::operation {

/// 1 / (1 + exp(-x)), with the bound of its three stable formulas (README, "Operations"). x may be infinite.
template <typename T>
void sigmoid_of(T x, const Setting& setting, Element<T>& out);

extern template void sigmoid_of(float, const Setting&, Element<float>&);
extern template void sigmoid_of(double, const Setting&, Element<double>&);

}  // namespace deformdiff::operation
