// Faults as canaries, for the tests of reports.
#pragma once

#include "engine/canary.h"

#include <string>

namespace deformdiff {

/// A fault that must be out_of_bound, after so many cases, all of which could show it; the last one did if it
/// was `found`, else it has survived.
inline Canary fault_canary(const std::string& name, bool found, std::int64_t cases) {
  Canary canary;
  canary.name = name;
  canary.block = "ms_deform_attn";
  canary.expected = "out_of_bound";
  canary.cases.add(0, static_cast<std::uint64_t>(cases));
  canary.enough = canary.judged = canary.reached = cases;
  if (found) {
    canary.found = 1;
    canary.verdict = canary.expected;
  }
  return canary;
}

}  // namespace deformdiff
