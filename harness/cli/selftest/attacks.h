// Attacks on the harness itself: each spoils a part of it, and a self-test that stays green is worth nothing.
#pragma once

#include "cli/options.h"
#include "engine/block_entry.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

struct AttackResult {
  std::string name;     ///< what was spoiled
  std::string noticed;  ///< the first reason for which the self-test then fails; empty if it stays green
};

/// Runs a part of the operator's self-test once for each attack, and once without: that one must stay green,
/// which is the last result.
std::vector<AttackResult> attack(const Options& options, const BlockEntry& entry);

}  // namespace deformdiff::cli
