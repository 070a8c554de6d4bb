// Sampling locations whose offsets are divided by other sides than those of the maps.
#pragma once

#include "faults/tampering.h"

#include <functional>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

/// Given the heights and widths [L, 2] of the call's levels, those that are taken instead.
using OtherSides = std::function<at::Tensor(const at::Tensor&)>;

/// To be made for a call. Boxes have no such division: there nothing changes.
std::function<Tamper(const Call&)> with_normaliser(OtherSides other);

}  // namespace deformdiff::worker
