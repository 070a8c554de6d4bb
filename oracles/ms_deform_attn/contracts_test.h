// Help for the oracles' tests: contracts that say one thing each.
#pragma once

#include "core/precision.h"

namespace deformdiff::ms_deform_attn {

struct Contracts {
  Contract any, zero, nan, ignored, propagates;
  Contracts() {
    zero.nonfinite_location = NonfiniteLocation::kZero;
    nan.nonfinite_location = NonfiniteLocation::kNan;
    ignored.nonfinite_weight_outside = NonfiniteWeightOutside::kIgnored;
    ignored.nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kIgnored;
    propagates.nonfinite_weight_outside = NonfiniteWeightOutside::kPropagates;
    propagates.nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kPropagates;
  }
};
inline const Contracts kContracts;

}  // namespace deformdiff::ms_deform_attn
