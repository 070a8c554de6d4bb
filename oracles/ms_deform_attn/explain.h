// Takes the bound of one element apart, for people.
#pragma once

#include "core/oracle.h"
#include "oracles/ms_deform_attn/group.h"

namespace deformdiff::ms_deform_attn {

/// `exact`: the bit budget proves the case exact. Element `d` of the group.
template <typename T>
Explanation explain_element(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates,
                            const GroupIndex& group, std::int64_t d, bool exact);

extern template Explanation explain_element(const Inputs<float>&, const Rounding&, Coordinates,
                                            const GroupIndex&, std::int64_t, bool);
extern template Explanation explain_element(const Inputs<double>&, const Rounding&, Coordinates,
                                            const GroupIndex&, std::int64_t, bool);

}  // namespace deformdiff::ms_deform_attn
