// What is particular to the sketches of single deep blocks.
#pragma once

#include "generators/staged/sketch.h"

#include <string>

namespace deformdiff {

/// How a sketch is adapted to the deep block of this name; nothing changes for one that asks for nothing in
/// particular.
Adapt adaptation_of(const std::string& block);

}  // namespace deformdiff
