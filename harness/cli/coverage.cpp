#include "cli/coverage.h"

#include "catalog/catalog.h"

#include <algorithm>

namespace deformdiff::cli {

std::vector<TriggerClass> reachable_classes(const std::vector<std::string>& blocks,
                                            const std::vector<std::string>& tiers) {
  std::vector<TriggerClass> classes;
  for (const std::string& block : blocks) {
    for (TriggerClass& each : find_block(block).generator->triggers()) {
      const bool drawn = each.tier.empty() || std::ranges::find(tiers, each.tier) != tiers.end();
      const bool known = std::ranges::find(classes, each.name, &TriggerClass::name) != classes.end();
      if (drawn && !known) classes.push_back(std::move(each));
    }
  }
  return classes;
}

}  // namespace deformdiff::cli
