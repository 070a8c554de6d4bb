#include "cli/version.h"

#include "cli/build_info.h"

#include <fmt/format.h>

namespace deformdiff::cli {

std::string version_text() {
  return fmt::format("deformdiff {}\ncommit    {}\ncompiler  {}\nLibTorch  {}\nCUDA      {}\n",
                     DEFORMDIFF_VERSION, kCommit, kCompiler, kLibTorch, kCuda);
}

std::string version_line() {
  return fmt::format("deformdiff {}, commit {}", DEFORMDIFF_VERSION, kCommit);
}

}  // namespace deformdiff::cli
