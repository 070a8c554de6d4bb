#include "engine/journal/merge.h"

#include "core/case_file.h"
#include "core/error.h"
#include "engine/journal/journal.h"
#include "engine/journal/sum_of_runs.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

struct FoundRun {
  JournalledRun run;
  fs::path folder;
};

/// A run only grows: the version of it with more is the later one.
std::tuple<std::uint64_t, bool, double> age_of(const JournalledRun& run) {
  std::uint64_t cases = 0;
  for (const auto& [name, block] : run.blocks) {
    for (const auto& [subject, parts] : block.counted) {
      for (const CountedCases& part : parts) cases += part.cases.size();
    }
  }
  return {cases, run.run.finished, run.run.seconds};
}

/// By id, whatever the order of the folders.
std::map<std::string, FoundRun> runs_in(const std::vector<fs::path>& folders) {
  std::map<std::string, FoundRun> runs;
  for (const fs::path& folder : folders) {
    for (JournalledRun& run : read_journal(folder)) {
      const std::string id = run.run.id;
      const auto known = runs.find(id);
      if (known == runs.end()) {
        runs.emplace(id, FoundRun{std::move(run), folder});
      } else if (age_of(run) > age_of(known->second.run)) {
        known->second = {std::move(run), folder};
      }
    }
  }
  return runs;
}

[[noreturn]] void refuse(const FoundRun& a, const FoundRun& b, const std::string& what) {
  throw InputError(fmt::format("merge: {} and {} are no parts of one run: {}", a.folder.string(),
                               b.folder.string(), what));
}

void want_one_stream(const FoundRun& a, const FoundRun& b) {
  const StreamChoice& one = a.run.run.stream;
  const StreamChoice& other = b.run.run.stream;
  if (one.seed != other.seed) refuse(a, b, fmt::format("--seed {} and {}", one.seed, other.seed));
  if (one.tiers != other.tiers) refuse(a, b, "other --tier");
  if (one.only != other.only) refuse(a, b, "other --only");
  for (const auto& [name, block] : a.run.blocks) {
    for (const auto& [other_name, other_block] : b.run.blocks) {
      if (name == other_name && block.block.fingerprint != other_block.block.fingerprint) {
        refuse(a, b,
               fmt::format("their programs ({}; {}) draw other cases of {}", a.run.run.version,
                           b.run.run.version, name));
      }
    }
  }
}

void write_run(Journal& journal, const JournalledRun& found) {
  const std::string& run = found.run.id;
  journal.write_run(found.run);
  for (const auto& [name, block] : found.blocks) {
    journal.write_block(run, name, block.block);
    for (const std::string& subject : block.order) {
      journal.write_subject(run, name, block.subjects.at(subject));
    }
    for (const auto& [subject, parts] : block.counted) {
      for (std::size_t i = 0; i < parts.size(); ++i) journal.write_counted(run, name, subject, i, parts[i]);
    }
    for (std::size_t i = 0; i < block.drawn.size(); ++i) journal.write_drawn(run, name, i, block.drawn[i]);
    journal.write_findings(run, name, block.findings);
    for (const Canary& canary : block.canaries) journal.write_canary(run, canary);
    for (const auto& [subject, cases] : block.begun) journal.write_begun(run, name, subject, cases);
  }
}

/// Names of the files of what the runs found together.
std::set<fs::path> files_of(const std::map<std::string, FoundRun>& runs) {
  std::vector<JournalledRun> all;
  for (const auto& [id, found] : runs) all.push_back(found.run);
  std::set<fs::path> files;
  for (const Finding& finding : sum_of_runs(all, {}).session.findings) {
    files.insert(finding.case_path.filename());
  }
  return files;
}

/// Of each name the smallest case; of equally small ones that of the first run.
void copy_cases(const std::map<std::string, FoundRun>& runs, const fs::path& into) {
  const std::set<fs::path> files = files_of(runs);
  std::map<fs::path, std::pair<std::int64_t, fs::path>> best;
  for (const auto& [id, found] : runs) {
    for (const auto& [name, block] : found.run.blocks) {
      for (const FindingRecord& record : block.findings) {
        const fs::path& file = record.finding.case_path;
        const std::int64_t size = record.finding.shrunk_elements;
        const fs::path source = found.folder / "findings" / file;
        if (!files.contains(file) || !fs::exists(source)) continue;
        const auto [known, is_new] = best.try_emplace(file, size, source);
        if (!is_new && size < known->second.first) known->second = {size, source};
      }
    }
  }
  fs::create_directories(into / "findings");
  for (const auto& [file, chosen] : best) write_case(into / "findings" / file, read_case(chosen.second));
}

}  // namespace

void merge(const std::vector<fs::path>& folders, const fs::path& into) {
  if (fs::exists(journal_path(into))) {
    throw InputError(fmt::format("-o {}: holds a journal already; choose another folder", into.string()));
  }
  const std::map<std::string, FoundRun> runs = runs_in(folders);
  for (const auto& [id, found] : runs) want_one_stream(runs.begin()->second, found);
  // Where this fails, the same can be tried again.
  copy_cases(runs, into);
  Journal journal = Journal::create(into);
  journal.in_one([&] {
    for (const auto& [id, found] : runs) write_run(journal, found.run);
  });
}

}  // namespace deformdiff
