// What a case of the backward can provoke, found by looking at the case.
#pragma once

#include "core/generator.h"

#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// The operator's and the backward's own.
std::vector<TriggerClass> backward_trigger_classes();

/// As triggers_hit(). Of more than 2^17 points those beyond are not counted on their pixels.
std::vector<std::string> backward_triggers_hit(const Case& c);

}  // namespace deformdiff::ms_deform_attn
