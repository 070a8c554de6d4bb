# Writes cli/build_info.h, at every build, so that the commit is the one that is built. Run as a script with
# ROOT, OUTPUT, COMPILER, LIBTORCH and CUDA. The file is touched only if it changes.
execute_process(COMMAND git -C ${ROOT} describe --always --dirty --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown: not built in a git repository")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#pragma once

namespace deformdiff::cli {

inline constexpr const char* kCommit = "@commit@";
inline constexpr const char* kCompiler = "@COMPILER@";
inline constexpr const char* kLibTorch = "@LIBTORCH@";
inline constexpr const char* kCuda = "@CUDA@";

}  // namespace deformdiff::cli
]])
