// What an operation is told beside its tensors.
#pragma once

#include <map>
#include <string>

namespace deformdiff {

/// Numbers by name, finite; a switch is 0 or 1.
using Attributes = std::map<std::string, double>;

}  // namespace deformdiff
