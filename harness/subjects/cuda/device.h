// What this machine has of CUDA, found out without linking to any of it.
#pragma once

#include <string>

namespace deformdiff::worker {

/// Why nothing can run on a CUDA device here, or empty. Asks the driver alone; loads no CUDA library.
const std::string& why_no_cuda_device();

/// Loads a library into the process for good, by soname, from the program's own search path. Throws
/// std::runtime_error with the loader's words.
void load_library(const char* soname);

}  // namespace deformdiff::worker
