// A fuzzing run over one block: generate, refer, execute, compare; confirm, shrink and save what is found.
#pragma once

#include "core/case_file.h"
#include "engine/catalog.h"
#include "engine/judge.h"
#include "engine/ratio_histogram.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

struct SessionOptions {
  std::uint64_t seed = 0;
  std::vector<std::string> tiers;            ///< empty: all, in their shares
  std::int64_t cases = 1000;                 ///< an implementation gets cases 0 .. cases-1
  std::optional<double> time_limit_seconds;  ///< ends the run at a batch boundary
  bool first_finding = false;                ///< a subject that has a finding gets no further cases
  bool shrink = true;
  double shrink_budget_seconds = 60;
  std::int64_t shrink_evaluations = 2000;
  RunLimits limits;
  std::int64_t memory_limit = 0;  ///< bytes a case may need over oracle and subject; more is not run
  int threads = 2;
  std::filesystem::path out;  ///< findings go to out/findings
};

struct Finding {
  Signature signature;
  int decade = 0;          ///< floor(log10(ratio)) of the saved case; 0 where there is no ratio
  std::int64_t count = 0;  ///< cases that showed it
  std::uint64_t first_case = 0;
  std::filesystem::path case_path;
  std::int64_t original_elements = 0;
  std::int64_t shrunk_elements = 0;
  std::int64_t evaluations = 0;              ///< cases tried while shrinking
  std::int64_t certificate_evaluations = 0;  ///< cases tried to prove that no single step is left
  bool minimal = false;
  std::string one_line;
  std::size_t earlier_calls = 0;  ///< calls before it that the finding depends on
  double reproduction_rate = 1;   ///< in fresh workers; below 1 is flaky
};

struct SubjectReport {
  std::string name;
  std::string block;
  SubjectInfo info;
  std::int64_t cases = 0;
  std::map<Verdict, std::int64_t> verdicts;
  std::map<std::string, std::int64_t>
      not_judged;              ///< "unsupported: reason", "not_run: reason", "vacuous: ..."
  std::int64_t estimated = 0;  ///< cases whose verdict rests on an estimated set
  double run_seconds = 0;      ///< of the first call of each case, inside the worker
  RatioHistogram ratios;
  std::optional<std::uint64_t> first_finding_case;
};

/// Where the time of a run went, in seconds summed over cases (worker time over subjects as well).
struct TimeSplit {
  double generate = 0, transport = 0, run = 0, oracle = 0, compare = 0;
};

struct SessionReport {
  std::vector<SubjectReport> subjects;
  std::map<std::string, std::int64_t> triggers;
  std::vector<Finding> findings;
  std::map<std::string, std::string> environment;
  TimeSplit split;
  double seconds = 0;
};

struct Progress {
  std::int64_t done = 0;  ///< cases finished of the subjects now running
  std::int64_t total = 0;
  std::size_t findings = 0;
  double seconds = 0;
  std::string activity;  ///< "fuzzing cpu, cuda_emulated" or "shrinking fault/swaps_xy"
};

/// Told as things happen; prints or not.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_progress(const Progress&) {}
  virtual void on_finding(const Finding&) {}  ///< also each time a smaller case replaces its file
};

/// Runs the session. Whatever a subject does is in the report; throws InputError if out cannot be written.
SessionReport fuzz(const BlockEntry& entry, std::vector<SubjectSpec> subjects, const SessionOptions& options,
                   Listener& listener);

}  // namespace deformdiff
