// Command line flags as the engine wants them.
#pragma once

#include "cli/options.h"
#include "engine/session.h"

namespace deformdiff::cli {

/// Bytes that a case may need over oracle and implementation; more is counted as not run.
constexpr std::int64_t kMemoryLimit = std::int64_t{4} << 30;

RunLimits run_limits_of(const Options& options);

/// Throws InputError if --out lies inside the source tree's cases/.
SessionOptions session_options_of(const Options& options);

}  // namespace deformdiff::cli
