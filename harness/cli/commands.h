// The commands, one file each. Each returns the exit code and throws InputError for bad input.
#pragma once

#include "cli/options.h"

namespace deformdiff::cli {

int run_fuzz(const Options& options);
int run_replay(const Options& options);
int run_shrink(const Options& options);
int run_explain(const Options& options);
int run_judge(const Options& options);
int run_generate(const Options& options);
int run_show(const Options& options);
int run_check(const Options& options);
int run_list(const Options& options);
int run_selftest(const Options& options);
int run_promote(const Options& options);
int run_emit(const Options& options);
int run_bisect(const Options& options);
int run_bench(const Options& options);
int run_report(const Options& options);
int run_merge(const Options& options);

/// Exit codes of `bisect --run`, beside 0 good and 1 bad, as `git bisect run` understands them: this version
/// cannot be tested; above this one, the bisection is to end.
constexpr int kGitSkip = 125;
constexpr int kGitAbort = 128;

}  // namespace deformdiff::cli
