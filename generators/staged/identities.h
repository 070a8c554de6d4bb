// Identities in the place of a deep block's weights.
#pragma once

#include "generators/shrink/elements.h"

#include <optional>

namespace deformdiff {

/// Weights of matrices and convolutions within the range made identities: ones where row and column (the
/// kernel's centre) agree, modulo the lesser of the two; zeros elsewhere. Nothing if that is not simpler.
std::optional<Draft> with_identities(const Draft& draft, ElementRange range);

}  // namespace deformdiff
