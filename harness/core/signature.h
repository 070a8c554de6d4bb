// The identity of a failure.
#pragma once

#include <compare>
#include <string>

namespace deformdiff {

/// For deduplication, and to keep shrinking on the same bug.
struct Signature {
  std::string block;
  std::string subject;
  std::string rule;           ///< name of the verdict
  std::string output;         ///< or the family of the stage to blame; empty where none is
  std::string element_class;  ///< "interior", "border", "outside", "nonfinite" or "structure", or the
                              ///< relation that is broken; "class" in JSON
  friend auto operator<=>(const Signature&, const Signature&) = default;
};

}  // namespace deformdiff
