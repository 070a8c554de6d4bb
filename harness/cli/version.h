// What this program was made from.
#pragma once

#include <string>

namespace deformdiff::cli {

/// The version; commit, compiler, LibTorch and CUDA of this build, a line each.
std::string version_text();

/// Version and commit: which program made a file.
std::string version_line();

}  // namespace deformdiff::cli
