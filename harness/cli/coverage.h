// Which trigger classes a run can reach.
#pragma once

#include "core/generator.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

/// Those of the blocks, by name, each once; without those of a tier that is drawn only where it is named and
/// is not among `tiers`. Throws InputError for a block that there is not.
std::vector<TriggerClass> reachable_classes(const std::vector<std::string>& blocks,
                                            const std::vector<std::string>& tiers);

}  // namespace deformdiff::cli
