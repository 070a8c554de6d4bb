#include "reports/causes.h"

#include <algorithm>

namespace deformdiff {
namespace {

bool is_one_group(const Finding& a, const Finding& b) {
  return !a.group.empty() && a.group == b.group && a.signature.block == b.signature.block &&
         a.signature.subject == b.signature.subject;
}

}  // namespace

std::vector<Cause> causes_of(const std::vector<Finding>& findings) {
  std::vector<Cause> causes;
  for (const Finding& finding : findings) {
    const auto known = std::ranges::find_if(
        causes, [&](const Cause& cause) { return is_one_group(*cause.front(), finding); });
    if (known == causes.end()) {
      causes.push_back({&finding});
    } else {
      known->push_back(&finding);
    }
  }
  return causes;
}

}  // namespace deformdiff
