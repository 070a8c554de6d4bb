// A saved case with everything that is needed to run it again.
#pragma once

#include "core/case_file.h"
#include "engine/block_entry.h"
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
  std::string warning;                ///< another library than the one recorded; empty if it is the same
};

/// Throws InputError naming the file for a case that cannot be read or is not valid, and for an
/// implementation or library that is not there.
SavedRun load_saved_run(const std::filesystem::path& path, const std::vector<std::string>& typed_subjects);

/// The same where one implementation is wanted. Throws InputError if the case names none.
SavedRun load_single_run(const std::filesystem::path& path, const std::vector<std::string>& typed_subjects);

}  // namespace deformdiff::cli
