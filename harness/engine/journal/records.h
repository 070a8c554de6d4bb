// What a journal holds, as data. A run is one command line on one machine, however often it was resumed; a
// merged journal holds several.
#pragma once

#include "core/generator.h"
#include "engine/canary.h"
#include "engine/case_ranges.h"
#include "engine/findings.h"
#include "engine/guided_stream.h"
#include "engine/session_report.h"
#include "engine/shard.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

struct RunRecord {
  std::string id;  ///< unlike that of any other run on any machine
  StreamChoice stream;
  Shard shard;
  std::string host;
  std::string started;                    ///< UTC, "2026-11-30T09:34:14Z"
  std::vector<std::string> command_line;  ///< as typed, from the command on
  std::vector<std::string> required;      ///< of --require
  std::string version;                    ///< of the program: `deformdiff --version` in one line
  std::map<std::string, std::string> environment;
  double seconds = 0;     ///< that all its sittings took
  bool finished = false;  ///< all its cases are done, or its time was up
};

/// What a run knows of one of its blocks.
struct BlockRecord {
  std::string fingerprint;  ///< of the first cases of the stream: another one is another generator
  std::uint64_t cases = 0;  ///< that every implementation is to get, over all shards
  std::string siblings;     ///< JSON: failures that were looked at beside a finding of theirs
  double seconds = 0;       ///< that it took
  bool finished = false;    ///< its cases are done
  GuidedStream guided;
};

struct SubjectRecord {
  SubjectInfo info;  ///< name, device, blocks, supports, and what it says of itself as a fault
  bool stopped = false;
  int hangs = 0;
  int lost_workers = 0;
  std::int64_t workers = 0;  ///< that were started
};

/// Cases of one implementation that are done, and what they came to.
struct CountedCases {
  CaseRanges cases;
  SubjectReport counts;                          ///< name and info are left out
  std::map<std::string, std::int64_t> failures;  ///< by finding_id of the key under which they were met
};

/// Cases of a block that were drawn, and what is known of them whoever gets them.
struct DrawnCases {
  CaseRanges cases;
  std::map<std::string, std::int64_t> triggers;
  TimeSplit split;
};

void add(DrawnCases& all, const DrawnCases& part);

/// A finding and the keys under which its cases were counted, by their finding_id.
struct FindingRecord {
  Finding finding;
  std::vector<KeyAndLead> leads;  ///< their counts are in CountedCases
};

/// One block of one run.
struct BlockOfRun {
  BlockRecord block;
  std::vector<std::string> order;  ///< names of the subjects, as they were given
  std::map<std::string, SubjectRecord> subjects;
  std::map<std::string, std::vector<CountedCases>> counted;  ///< by subject
  std::vector<DrawnCases> drawn;
  std::vector<FindingRecord> findings;  ///< in the order in which they were met
  std::vector<Canary> canaries;
  std::map<std::string, CaseRanges> begun;  ///< by subject: of the batch during which the run died
};

}  // namespace deformdiff
