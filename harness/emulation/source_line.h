// Where in the source an address of the code is.
#pragma once

#include <string>

namespace deformdiff::emulation {

/// "file.cuh:12" of the call that returns to `site`, without folders; the module and the offset where there
/// is no debug information or no addr2line.
std::string source_line(const void* site);

}  // namespace deformdiff::emulation
