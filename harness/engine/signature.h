// The signature of a failure, and whether another run shows the same one.
#pragma once

#include "core/signature.h"
#include "engine/compare.h"

#include <string>

namespace deformdiff {

/// Identity of what the comparison found.
Signature signature_of(const std::string& block, const std::string& subject, const Comparison& comparison);

/// Whether the comparison shows this failure: the same rule and output, and the element class either of the
/// element to blame or of another that violates the rule. Shrinking moves the worst element about.
bool shows(const Signature& signature, const Comparison& comparison);

/// The name of a stage for signatures: layers and calls lose their numbers, as "layers.*.fc1", so that a case
/// with fewer layers shows the same failure.
std::string stage_family(const std::string& stage);

}  // namespace deformdiff
