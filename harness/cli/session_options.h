// Command line flags as the engine wants them.
#pragma once

#include "cli/options.h"
#include "engine/session_options.h"

namespace deformdiff::cli {

/// Bytes that a case may need over oracle and implementation; more is counted as not run.
constexpr std::int64_t kMemoryLimit = std::int64_t{8} << 30;

/// Bytes that a worker may allocate: what a case may need, and LibTorch. An implementation that wants more
/// gets an allocation failure, and the machine stays usable. AddressSanitizer maps far more than this for
/// itself.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kWorkerMemory = 0;
#else
constexpr std::int64_t kWorkerMemory = 2 * kMemoryLimit;
#endif

RunLimits run_limits_of(const Options& options);

/// Saved cases that are kept are chosen by people: no run writes among them. Throws InputError.
void refuse_source_cases(const std::filesystem::path& out);

/// The folder in --out for the cases of findings. Throws InputError if --out lies inside the source tree's
/// cases/.
std::filesystem::path findings_folder(const Options& options);

/// Cases a block without --cases and --time. A case of a deep block is a whole module, which every traced
/// implementation compiles anew.
constexpr std::int64_t kDefaultCases = 500;
constexpr std::int64_t kDefaultDeepCases = 10;

/// The same where every implementation is run on every block: within a minute on two cores.
constexpr std::int64_t kFirstLookCases = 150;
constexpr std::int64_t kFirstLookDeepCases = 6;
constexpr std::int64_t kFirstLookModelCases = 3;

/// Throws InputError if --out lies inside the source tree's cases/.
SessionOptions session_options_of(const Options& options, std::int64_t default_cases = kDefaultCases);

}  // namespace deformdiff::cli
