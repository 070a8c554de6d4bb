// To which finding failures belong when several runs are taken as one.
#pragma once

#include "engine/journal/records.h"

#include <map>
#include <set>
#include <span>
#include <string>

namespace deformdiff {

/// What a run files a failure under depends on the case that it met first: on what that one shrinks to.
/// Several runs are filed as one would have done that met all their cases in order. What only shrinking led
/// to goes where that case would not have been shrunk.
class Filing {
 public:
  /// The same block in each run; of runs that met the same case, the first in order is believed.
  explicit Filing(std::span<const BlockOfRun* const> runs);

  /// The name (its file's, without ending) of the finding to which cases belong that were met under the key
  /// with this finding_id; the id where no run says.
  const std::string& finding_of(const std::string& id) const;

  /// Whether something leads to the finding of this name.
  bool has(const std::string& finding) const { return findings_.contains(finding); }

 private:
  std::map<std::string, std::string> finding_of_;  ///< by finding_id of the key
  std::set<std::string> findings_;
};

}  // namespace deformdiff
