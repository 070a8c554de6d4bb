#include "engine/journal/run_journal.h"

#include "core/error.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <unistd.h>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string id_of(const RunRecord& run) {
  std::random_device random;
  return fmt::format("{} {} {:08x}", run.started, run.host, random());
}

std::string tiers_text(const StreamChoice& stream) {
  return stream.tiers.empty() ? "all" : fmt::format("{}", fmt::join(stream.tiers, ", "));
}

[[noreturn]] void refuse(const std::filesystem::path& folder, const std::string& what, const std::string& was,
                         const std::string& is) {
  throw InputError(fmt::format(
      "--resume: the run in {} has {} {}, this one {}; resume it as it was begun, or choose another --out",
      folder.string(), what, was, is));
}

/// What makes its cases others.
void want_same(const std::filesystem::path& folder, const RunRecord& was, const RunRecord& is) {
  const auto compare = [&](const char* what, const std::string& a, const std::string& b) {
    if (a != b) refuse(folder, what, a.empty() ? "none" : a, b.empty() ? "none" : b);
  };
  compare("--seed", std::to_string(was.stream.seed), std::to_string(is.stream.seed));
  compare("--tier", tiers_text(was.stream), tiers_text(is.stream));
  compare("--only", was.stream.only, is.stream.only);
  compare("--shard", text_of(was.shard), text_of(is.shard));
}

}  // namespace

RunJournal RunJournal::begin(const std::filesystem::path& folder, RunRecord run) {
  Journal journal = Journal::create(folder);
  run.host = host_name();
  run.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::now()));
  run.id = id_of(run);
  journal.write_run(run);
  return {std::move(journal), std::move(run)};
}

RunJournal RunJournal::resume(const std::filesystem::path& folder, RunRecord run) {
  Journal journal = Journal::open(folder);
  std::vector<JournalledRun> runs = read_journal(folder);
  if (runs.size() != 1) {
    throw InputError(fmt::format("--resume: {} holds {} runs; only the folder of one can be gone on with",
                                 journal_path(folder).string(), runs.size()));
  }
  JournalledRun& found = runs.front();
  want_same(folder, found.run, run);
  RunJournal resumed(std::move(journal), std::move(found.run));
  resumed.earlier_ = std::move(found.blocks);
  resumed.seconds_before_ = resumed.run_.seconds;
  resumed.run_.command_line = std::move(run.command_line);
  resumed.run_.required = std::move(run.required);
  resumed.run_.version = std::move(run.version);
  resumed.run_.finished = false;
  resumed.note_time();
  return resumed;
}

const BlockOfRun* RunJournal::earlier(const std::string& block) const {
  const auto found = std::ranges::find(earlier_, block, [](const auto& each) { return each.first; });
  return found == earlier_.end() ? nullptr : &found->second;
}

void RunJournal::note_time() {
  run_.seconds = seconds();
  journal_.write_run(run_);
}

void RunJournal::finish() {
  run_.finished = true;
  note_time();
}

}  // namespace deformdiff
