// Takes the bound of one element apart, for people.
#pragma once

#include "core/oracle.h"
#include "oracles/ms_deform_attn/group.h"

namespace deformdiff::ms_deform_attn {

/// `exact`: the bit budget proves the case exact. Element `d` of the group.
template <typename T>
Explanation explain_element(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates,
                            const GroupIndex& group, std::int64_t d, bool exact);

}  // namespace deformdiff::ms_deform_attn
