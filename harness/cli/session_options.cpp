#include "cli/session_options.h"

#include "cli/interrupt.h"
#include "core/error.h"

#include <limits>

#include <fmt/format.h>

namespace deformdiff::cli {

namespace fs = std::filesystem;

void refuse_source_cases(const fs::path& out) {
  for (fs::path folder = fs::weakly_canonical(fs::absolute(out)); folder != folder.root_path();
       folder = folder.parent_path()) {
    // The build tree has folders of the same names, without the READMEs.
    const fs::path rules = folder.parent_path() / "oracles" / "README.md";
    if (folder.filename() == "cases" && fs::exists(folder / "README.md") && fs::exists(rules)) {
      throw InputError(
          fmt::format("--out {}: lies inside the source tree's cases/; choose another folder", out.string()));
    }
  }
}

RunLimits run_limits_of(const Options& options) {
  RunLimits limits;
  limits.case_timeout_seconds = options.case_timeout_seconds;
  limits.memory_bytes = kWorkerMemory;
  limits.end.interrupted = &interrupted();
  return limits;
}

std::filesystem::path findings_folder(const Options& options) {
  refuse_source_cases(options.out);
  return options.out / "findings";
}

SessionOptions session_options_of(const Options& options, std::int64_t default_cases) {
  refuse_source_cases(options.out);
  SessionOptions session;
  session.seed = options.seed;
  session.tiers = options.tiers;
  session.only = options.only;
  const bool timed = options.time_seconds.has_value();
  session.cases = options.cases.value_or(timed ? std::numeric_limits<std::int64_t>::max() : default_cases);
  session.shard = options.shard;
  session.time_limit_seconds = options.time_seconds;
  session.guided_share = options.guided_share;
  session.first_finding = options.first_finding;
  session.shrink = options.shrink;
  session.shrink_budget_seconds = options.budget_seconds;
  session.shrink_evaluations = options.evaluations;
  session.limits = run_limits_of(options);
  session.memory_limit = kMemoryLimit;
  session.threads = options.threads;
  session.out = options.out;
  return session;
}

}  // namespace deformdiff::cli
