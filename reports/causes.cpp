#include "reports/causes.h"

#include <algorithm>
#include <string>

namespace deformdiff {
namespace {

/// Nothing tells of a cause where it is empty.
const std::string& words_of_cause(const Finding& finding) {
  return finding.group.empty() ? finding.excused_by : finding.group;
}

bool is_one_cause(const Finding& a, const Finding& b) {
  return !words_of_cause(a).empty() && words_of_cause(a) == words_of_cause(b) &&
         a.signature.block == b.signature.block && a.signature.subject == b.signature.subject;
}

}  // namespace

std::vector<Cause> causes_of(const std::vector<Finding>& findings) {
  std::vector<Cause> causes;
  for (const Finding& finding : findings) {
    const auto known = std::ranges::find_if(
        causes, [&](const Cause& cause) { return is_one_cause(*cause.front(), finding); });
    if (known == causes.end()) {
      causes.push_back({&finding});
    } else {
      known->push_back(&finding);
    }
  }
  return causes;
}

}  // namespace deformdiff
