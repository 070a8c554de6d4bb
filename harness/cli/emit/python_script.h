// A failure as a Python script that needs nothing of ours.
#pragma once

#include "cli/emit/evidence.h"

#include <string>

namespace deformdiff::cli {

/// Prints what was expected and what came, and exits with 1 where the failure shows, with 0 where it does
/// not. Needs PyTorch or numpy; a library or module is loaded from its path or from that given to the script.
std::string python_script(const Evidence& evidence);

/// What the script and a bug report say in their first lines: what was computed, what came and what may come.
std::string summary_of(const Evidence& evidence);

}  // namespace deformdiff::cli
