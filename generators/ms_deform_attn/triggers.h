// What a case can provoke, found by looking at the case.
#pragma once

#include "core/generator.h"

#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

std::vector<TriggerClass> trigger_classes();

/// Where there are more than 2^14 points or 2^17 elements of value, an evenly spread sample is looked at.
std::vector<std::string> triggers_hit(const Case& c);

}  // namespace deformdiff::ms_deform_attn
