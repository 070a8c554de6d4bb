// A runner of a subject without a bound: behind each case it runs those that relations make of it.
#pragma once

#include "engine/block_entry.h"
#include "engine/runner.h"

#include <functional>
#include <memory>
#include <string>

namespace deformdiff {

/// Of a block by its name; must outlive the runner.
using FindEntry = std::function<const BlockEntry&(const std::string& block)>;

/// Gives each case to `inner`, and then the cases_of() RelatedCases that a subject so declared
/// admits, in one batch; what these came to is in Outcome::related, kUnsupported for those not admitted. A
/// case that did not return has none, nor has one of a block without relations. Of a run that ends before a
/// case is through with all of them the case is left out. `declare` is as in SubjectSpec.
std::unique_ptr<Runner> related_runner(std::unique_ptr<Runner> inner,
                                       std::function<void(SubjectInfo&)> declare, FindEntry find_entry);

}  // namespace deformdiff
