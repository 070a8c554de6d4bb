#include "cli/resumed.h"

#include "engine/journal/journal.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

Options as_resumed(const Options& typed) {
  if (!typed.resume || typed.says_what_to_run) return typed;
  const std::vector<JournalledRun> runs = read_journal(typed.out);
  if (runs.size() != 1) return typed;  // refused where the run is resumed
  const std::vector<std::string>& words = runs.front().run.command_line;
  std::vector<const char*> argv{"deformdiff"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  Options options = parse_options(static_cast<int>(argv.size()), argv.data());
  options.resume = true;
  options.out = typed.out;
  options.reports = typed.reports;
  options.progress = typed.progress;
  options.quiet = typed.quiet;
  options.verbose = typed.verbose;
  options.threads = typed.threads;
  return options;
}

}  // namespace deformdiff::cli
