// A saved case with everything that is needed to run it again.
#pragma once

#include "cli/options.h"
#include "core/case_file.h"
#include "engine/block_entry.h"
#include "engine/judge.h"
#include "engine/subject.h"

#include <filesystem>
#include <string>
#include <vector>

namespace deformdiff::cli {

struct SavedRun {
  std::filesystem::path path;
  SavedCase saved;
  const BlockEntry* entry = nullptr;
  std::vector<SubjectSpec> subjects;  ///< those typed, else the one recorded, else every built-in one
  std::string warning;                ///< another file than the one recorded; empty if it is the same
};

/// `options` has the implementations typed. Throws InputError naming the file for a case that cannot be read
/// or is not valid, and for an implementation or library that is not there.
SavedRun load_saved_run(const std::filesystem::path& path, const Options& options);

/// The same where one implementation is wanted. Throws InputError if the case names none.
SavedRun load_single_run(const std::filesystem::path& path, const Options& options);

struct JudgedAgain {
  Judgement judgement;  ///< of the run that failed, or the last
  int runs = 0;
};

/// Runs and judges the case; one whose failure is not seen each time as often as that takes. What is no smoke
/// or regression case gets a fresh worker.
JudgedAgain judge_again(Subject& subject, const SavedRun& run, int threads);

}  // namespace deformdiff::cli
