// The program `deformdiff`: flags in, one command, an exit code out.
#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "engine/journal/journal_error.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// A closed one would be handed to the next file that is opened, and what is printed be written there.
/// Writing to what stands in for it fails, as it should.
void fill_standard_descriptors() {
  for (const int descriptor : {0, 1, 2}) {
    if (::fcntl(descriptor, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);
  }
}

/// The exit code, unless what was printed did not arrive.
int checked_output(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  std::fputs("deformdiff: standard output cannot be written\n", stderr);
  return exit_code == 0 ? 2 : exit_code;
}

int run(int argc, const char* const* argv) {
  using namespace deformdiff::cli;
  const Options options = parse_options(argc, argv);
  if (options.command.empty()) {
    std::fputs(options.message.c_str(), stdout);
    return 0;
  }
  const std::map<std::string, int (*)(const Options&)> commands{
      {"fuzz", run_fuzz},   {"replay", run_replay}, {"shrink", run_shrink},     {"explain", run_explain},
      {"judge", run_judge}, {"check", run_check},   {"list", run_list},         {"selftest", run_selftest},
      {"bench", run_bench}, {"report", run_report}, {"merge", run_merge},       {"promote", run_promote},
      {"emit", run_emit},   {"bisect", run_bisect}, {"generate", run_generate}, {"show", run_show}};
  return commands.at(options.command)(options);
}

/// Under `git bisect run` 2 and 3 would say that the version is bad.
int exit_code_of_error(int argc, char** argv, int code) {
  const std::vector<std::string_view> words(argv, argv + argc);
  const bool for_git =
      argc > 1 && words[1] == "bisect" &&
      std::ranges::any_of(words, [](std::string_view word) { return word.starts_with("--run"); });
  return for_git ? deformdiff::cli::kGitAbort + code : code;
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  try {
    return checked_output(run(argc, argv));
  } catch (const deformdiff::InputError& error) {
    std::fprintf(stderr, "deformdiff: %s\n", error.what());
    return exit_code_of_error(argc, argv, 2);
  } catch (const deformdiff::JournalError& error) {
    std::fprintf(stderr, "deformdiff: %s\n", error.what());
    return 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "deformdiff: internal error: %s\n", error.what());
    return exit_code_of_error(argc, argv, 3);
  }
}
