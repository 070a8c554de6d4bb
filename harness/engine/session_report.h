// What a run counted: reports of subjects and of whole sessions, and how they are added up.
#pragma once

#include "core/subject_info.h"
#include "core/verdict.h"
#include "engine/compare.h"
#include "engine/finding.h"
#include "engine/ratio_histogram.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// A case that one worker was lost on and another ran again.
struct Retry {
  std::uint64_t index = 0;
  std::string lost_worker;  ///< as Outcome's
  Verdict verdict = Verdict::kNotRun;
};

struct SubjectReport {
  std::string name;
  std::string block;
  SubjectInfo info;
  std::int64_t cases = 0;
  std::map<Verdict, std::int64_t> verdicts;
  std::map<std::string, std::int64_t> not_judged;  ///< by "unsupported: reason", "vacuous: reason", ...
  std::int64_t estimated = 0;                      ///< cases whose verdict rests on an estimated set
  double run_seconds = 0;                          ///< of the first call of each case, inside the worker
  RatioHistogram ratios;
  std::optional<std::uint64_t> first_finding_case;
  std::vector<Retry> retries;           ///< but for those that crashed again, which are findings that say so
  std::optional<std::int64_t> workers;  ///< that its runner started in a session; empty elsewhere
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

/// What the verdicts of a subject come to, in cases.
struct Tally {
  std::int64_t agree = 0, found = 0, not_judged = 0;

  std::int64_t judged() const { return agree + found; }
};

Tally tally_of(const SubjectReport& subject);

/// Adds one judged case to a subject's counts. Its index, where none is given, is the number of those before
/// it.
void count(SubjectReport& report, const Comparison& comparison, std::optional<std::uint64_t> index = {});

/// Appends another report's subjects and findings, and adds its counts and times.
void append(SessionReport& all, SessionReport one);

}  // namespace deformdiff
