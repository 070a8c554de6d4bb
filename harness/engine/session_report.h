// What a run counted: reports of subjects and of whole sessions, and how they are added up.
#pragma once

#include "core/subject_info.h"
#include "core/verdict.h"
#include "engine/canary.h"
#include "engine/compare.h"
#include "engine/error_places.h"
#include "engine/finding.h"
#include "engine/guided_stream.h"
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

/// In how many cases a relation was judged, and in how many it did not apply.
struct RelationCount {
  std::int64_t judged = 0, not_applicable = 0;
  friend bool operator==(const RelationCount&, const RelationCount&) = default;
};

struct SubjectReport {
  std::string name;
  std::string block;
  SubjectInfo info;
  std::int64_t cases = 0;
  std::map<Verdict, std::int64_t> verdicts;
  std::map<std::string, std::int64_t> not_judged;  ///< by "unsupported: reason", "vacuous: reason", ...
  std::int64_t estimated = 0;                      ///< cases whose verdict rests on an estimated set
  std::map<std::string, RelationCount> relations;  ///< by name; of a subject without a bound
  double run_seconds = 0;                          ///< of the first call of each case, inside the worker
  RatioHistogram ratios;
  ErrorPlaces places;  ///< of the wrong elements of a session; empty elsewhere
  std::optional<std::uint64_t> first_finding_case;
  std::vector<Retry> retries;           ///< but for those that crashed again, which are findings that say so
  std::optional<std::int64_t> workers;  ///< that its runner started in a session; empty elsewhere
};

/// Where the time of a run went, in seconds summed over cases (worker time over subjects as well).
struct TimeSplit {
  double generate = 0, transport = 0, run = 0, oracle = 0, compare = 0;

  double total() const { return generate + transport + run + oracle + compare; }
};

struct SessionReport {
  std::vector<SubjectReport> subjects;
  std::map<std::string, std::int64_t> triggers;
  std::vector<Finding> findings;
  std::vector<Canary> canaries;      ///< empty where the run had none
  std::vector<GuidedStream> guided;  ///< by block; empty where there was none
  std::map<std::string, std::string> environment;
  TimeSplit split;
  double seconds = 0;
  std::string broken_off;  ///< why the harness itself could not go on; empty if it could
};

/// What the verdicts of a subject come to, in cases.
struct Tally {
  std::int64_t agree = 0, found = 0, not_judged = 0;

  std::int64_t judged() const { return agree + found; }
};

Tally tally_of(const SubjectReport& subject);

/// Adds a judged case to a subject's counts.
void count(SubjectReport& report, const Comparison& comparison, std::uint64_t index);

/// The same of a case whose index is the number of those before it.
inline void count(SubjectReport& report, const Comparison& comparison) {
  count(report, comparison, static_cast<std::uint64_t>(report.cases));
}

/// Adds the counts of other cases of the same subject.
void add(SubjectReport& all, const SubjectReport& part);

void add(TimeSplit& all, const TimeSplit& part);

/// Appends another report's subjects and findings, and adds its counts and times.
void append(SessionReport& all, SessionReport one);

}  // namespace deformdiff
