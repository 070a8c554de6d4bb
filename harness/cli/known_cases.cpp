#include "cli/known_cases.h"

#include "core/case_file.h"

#include <algorithm>
#include <system_error>

namespace deformdiff::cli {
namespace {

namespace fs = std::filesystem;

Signature anywhere(Signature signature) {
  signature.subject = without_folder(signature.subject);
  return signature;
}

}  // namespace

std::string without_folder(const std::string& subject) {
  const std::size_t colon = subject.find(':');
  const std::size_t letters = subject.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  if (colon == std::string::npos || letters != colon || colon == 0) return subject;
  const std::size_t end = std::min(subject.find_first_of("#?", colon), subject.size());
  const std::size_t slash = subject.rfind('/', end);
  if (slash == std::string::npos || slash < colon) return subject;
  return subject.substr(0, colon + 1) + subject.substr(slash + 1);
}

KnownCases::KnownCases(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& block : fs::directory_iterator(folder, ignored)) {
    // What is open is read last, and so stays.
    read(block.path() / "regression", FindingStatus::kRegression);
    read(block.path() / "open", FindingStatus::kKnown);
  }
}

void KnownCases::read(const fs::path& folder, FindingStatus status) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != ".json") continue;
    const SavedCase saved = read_case(entry.path());
    if (saved.signature) kept_.insert_or_assign(anywhere(*saved.signature), Kept{status, entry.path()});
  }
}

void KnownCases::mark(std::vector<Finding>& findings) const {
  for (Finding& finding : findings) {
    const auto kept = kept_.find(anywhere(finding.signature));
    finding.status = kept == kept_.end() ? FindingStatus::kNew : kept->second.status;
    finding.kept_case = kept == kept_.end() ? fs::path() : kept->second.path;
  }
}

}  // namespace deformdiff::cli
