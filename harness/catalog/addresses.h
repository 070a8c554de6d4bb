// Names and addresses of implementations, as typed, and the workers behind them.
#pragma once

#include "engine/subject.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace deformdiff {

/// What a worker says before it runs anything.
struct WorkerList {
  std::vector<SubjectInfo> subjects;
  std::map<std::string, std::string> environment;
};

/// The worker, which lies beside this program. Throws InputError if it is not there.
std::string worker_program();

/// The built-in implementations, or the faults and controls (names beginning with "fault/" and "control/").
/// Asks a worker; throws InputError if there is none beside this program or it does not start.
const WorkerList& builtin_subjects();
const WorkerList& faults_and_controls();

/// Throws InputError for a name that no worker knows, a scheme that does not exist or is not available yet, a
/// missing library, and a bad declaration; also for what answers saved cases alone.
SubjectSpec parse_subject(const std::string& typed);

/// Those named, by `parse`, or every built-in one.
std::vector<SubjectSpec> parse_subjects(
    const std::vector<std::string>& typed,
    const std::function<SubjectSpec(const std::string&)>& parse = parse_subject);

/// Names of the blocks that it serves. A worker that no list speaks for is started to be asked; one that does
/// not start is taken to serve the operator, where it then fails.
std::set<std::string> blocks_served(const SubjectSpec& spec, const RunLimits& limits);

}  // namespace deformdiff
