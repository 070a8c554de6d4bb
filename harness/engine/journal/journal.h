// The journal of a run: one SQLite file in its folder, true at every moment, however the run ends.
#pragma once

#include "engine/journal/folder_lock.h"
#include "engine/journal/journal_error.h"
#include "engine/journal/records.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace deformdiff {

/// "DIR/journal.sqlite".
std::filesystem::path journal_path(const std::filesystem::path& folder);

/// Everything that journals hold of a run, block by block in their order.
struct JournalledRun {
  RunRecord run;
  std::vector<std::pair<std::string, BlockOfRun>> blocks;
};

/// The runs of the folder's journal, also while it is written. Throws InputError naming the file where there
/// is none, or it is none of ours.
std::vector<JournalledRun> read_journal(const std::filesystem::path& folder);

/// A journal that is written. All of it throws JournalError where the disk or the file fails, or the file is
/// removed meanwhile.
class Journal {
 public:
  /// Begins anew in the folder, which is made; what was there stays beside it as journal.previous.sqlite.
  /// Throws InputError if another process writes there.
  static Journal create(const std::filesystem::path& folder);

  /// Goes on with the folder's journal. Throws InputError if there is none, or another process writes there.
  static Journal open(const std::filesystem::path& folder);

  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  const std::filesystem::path& folder() const { return folder_; }

  /// What `write` writes is there as a whole or not at all.
  void in_one(const std::function<void()>& write);

  void write_run(const RunRecord& run);
  void write_block(const std::string& run, const std::string& block, const BlockRecord& record);
  void write_subject(const std::string& run, const std::string& block, const SubjectRecord& record);

  /// Part `number` of what the subject was given, in place of what that was.
  void write_counted(const std::string& run, const std::string& block, const std::string& subject,
                     std::size_t number, const CountedCases& counted);
  void write_drawn(const std::string& run, const std::string& block, std::size_t number,
                   const DrawnCases& drawn);

  /// All the findings of the block.
  void write_findings(const std::string& run, const std::string& block,
                      const std::vector<FindingRecord>& findings);

  /// In place of what was written of the same canary.
  void write_canary(const std::string& run, const Canary& canary);

  /// The cases that the subject is about to be given; none once they are done.
  void write_begun(const std::string& run, const std::string& block, const std::string& subject,
                   const CaseRanges& cases);

 private:
  struct Database;
  Journal(std::filesystem::path folder, FolderLock lock, std::unique_ptr<Database> database);

  std::filesystem::path folder_;
  FolderLock lock_;
  std::unique_ptr<Database> database_;
};

}  // namespace deformdiff
