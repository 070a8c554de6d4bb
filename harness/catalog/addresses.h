// Names and addresses of implementations, as typed, and the workers behind them.
#pragma once

#include "engine/subject.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
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
/// The first call asks a worker, as ask_worker() does; throws InputError if there is none beside this
/// program.
const WorkerList& builtin_subjects(const Deadline& end = {});
const WorkerList& faults_and_controls(const Deadline& end = {});

/// Whether the name is one of a fault or a control.
bool is_fault_name(std::string_view name);

/// Whether a worker of this program speaks for the name: it is no address.
bool is_listed_name(std::string_view name);

/// The first message of the worker that these words start. Throws InputError if it dies before it says
/// anything, whenever it is tried, or says nothing in a minute or until `end`.
WorkerList ask_worker(const std::vector<std::string>& argv, const Deadline& end);

/// Names of built-in ones may declare as addresses do. Throws InputError for a name that no worker knows, a
/// scheme that does not exist, a missing library or Python file, and a bad declaration; also for what answers
/// saved cases alone.
SubjectSpec parse_subject(const std::string& typed);

/// Those named, by `parse`, or every built-in one.
std::vector<SubjectSpec> parse_subjects(
    const std::vector<std::string>& typed,
    const std::function<SubjectSpec(const std::string&)>& parse = parse_subject);

/// Names of the blocks that it serves. A worker that no list speaks for is started to be asked; one that does
/// not start is taken to serve the operator, where it then fails.
std::set<std::string> blocks_served(const SubjectSpec& spec, const RunLimits& limits);

}  // namespace deformdiff
