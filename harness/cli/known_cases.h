// Findings beside the cases that are kept: which are new, which are known, and which were fixed once.
#pragma once

#include "core/signature.h"
#include "engine/finding.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace deformdiff::cli {

/// The failures of a folder of cases (cases/README.md).
class KnownCases {
 public:
  KnownCases() = default;

  /// Reads BLOCK/open/ and BLOCK/regression/. Throws InputError naming a case that cannot be read.
  explicit KnownCases(const std::filesystem::path& folder);

  /// Says in each finding whether a case has its signature: a failure that is open is known, whatever else
  /// was fixed. Libraries are the same if they and their declarations have the same name, wherever they lie.
  void mark(std::vector<Finding>& findings) const;

 private:
  void read(const std::filesystem::path& folder, FindingStatus status);

  struct Kept {
    FindingStatus status;
    std::filesystem::path path;
  };
  std::map<Signature, Kept> kept_;
};

/// An address with its file's name in place of its path; any other name as it is.
std::string without_folder(const std::string& subject);

}  // namespace deformdiff::cli
