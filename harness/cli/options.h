// The command line as data. Flags that are promised and not built yet are known here too, and refused by
// name.
#pragma once

#include "blocks/levels.h"
#include "core/declaration.h"
#include "core/dtype.h"
#include "engine/shard.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff::cli {

struct ReportTarget {
  std::string kind;            ///< one of report_kinds()
  std::filesystem::path file;  ///< empty for standard output
};

struct Options {
  std::string command;  ///< "fuzz", ...; empty if `message` is all there is to do
  std::string message;  ///< help or version text for standard output

  // common
  std::vector<ReportTarget> reports;
  bool progress = true;
  bool quiet = false;
  bool verbose = false;
  int threads = 0;

  // fuzz, selftest, bench
  std::vector<std::string> blocks;
  std::vector<std::string> subjects;
  std::vector<std::string> tiers;
  std::string only;  ///< fuzz: conditions that every case meets
  std::vector<std::string> required;
  std::filesystem::path known;  ///< fuzz: folder of cases; empty: cases/ in the working directory
  bool known_fail = false;      ///< known findings are failures of the run too
  std::optional<std::int64_t> cases;
  std::optional<double> time_seconds;
  std::uint64_t seed = 0;
  std::filesystem::path out = "deformdiff-out";
  bool resume = false;             ///< go on with the run in `out`
  bool says_what_to_run = false;   ///< fuzz: blocks or implementations are typed
  std::vector<std::string> words;  ///< the command line as typed, from the command on
  Shard shard;
  bool first_finding = false;
  double guided_share = 0;  ///< fuzz: part of the time for cases beside the stream
  bool canaries = false;    ///< fuzz: faults and right code run between its cases
  bool shrink = true;
  std::optional<double> case_timeout_seconds;
  int rounds = 5;

  // replay, shrink, explain, judge, check
  std::vector<std::filesystem::path> files;
  double budget_seconds = 60;
  std::int64_t evaluations = 2000;
  std::filesystem::path output;
  bool origin = false;        ///< replay; on what each case came from
  std::string worker_prefix;  ///< replay; words before the worker's command line
  std::string layout;
  std::filesystem::path config;
  std::filesystem::path parameters;           ///< check
  std::vector<std::filesystem::path> inputs;  ///< check
  std::optional<LevelSize> image_size;        ///< check; of the images that the model takes
  std::vector<std::string> input_order;       ///< check; names of the module's arguments
  std::vector<std::string> output_order;
  Declaration declared;                        ///< judge, check
  std::map<std::string, std::string> mapping;  ///< our tensor name to the file's

  std::optional<DType> dtype;  ///< generate

  // promote, emit, bisect
  std::string name;                    ///< of the promoted case; empty: the file's
  std::string note;                    ///< of the promoted case; empty: the finding's
  bool issue = false;                  ///< a bug report around the script
  bool fixed = false;                  ///< into regression/, not open/
  std::string versions;                ///< bisect: A,B,C, old to new
  std::string run;                     ///< bisect: a line for the shell; empty with `versions`
  std::filesystem::path cases_folder;  ///< empty: cases/ in the working directory

  std::string topic;              ///< list
  std::filesystem::path against;  ///< report
};

/// Throws InputError naming the flag and the fix.
Options parse_options(int argc, const char* const* argv);

}  // namespace deformdiff::cli
