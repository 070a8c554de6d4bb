// The program `deformdiff`: flags in, one command, an exit code out.
#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"

#include <cstdio>
#include <exception>
#include <map>
#include <string>

namespace {

int run(int argc, const char* const* argv) {
  using namespace deformdiff::cli;
  const Options options = parse_options(argc, argv);
  if (options.command.empty()) {
    std::fputs(options.message.c_str(), stdout);
    return 0;
  }
  const std::map<std::string, int (*)(const Options&)> commands{
      {"fuzz", run_fuzz},       {"replay", run_replay},     {"shrink", run_shrink},
      {"explain", run_explain}, {"judge", run_judge},       {"check", run_check},
      {"list", run_list},       {"selftest", run_selftest}, {"bench", run_bench}};
  return commands.at(options.command)(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const deformdiff::InputError& error) {
    std::fprintf(stderr, "deformdiff: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "deformdiff: internal error: %s\n", error.what());
    return 3;
  }
}
