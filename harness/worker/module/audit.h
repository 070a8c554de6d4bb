// What a module's graph itself gives away: constants and dead ends where dataflow belongs.
#pragma once

#include "core/module_description.h"
#include "worker/module/constants.h"
#include "worker/module/graph.h"

#include <string>
#include <vector>

#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {

/// What the audit is told beside the graph.
struct AuditFacts {
  TracedSizes sizes;
  std::vector<bool> batch_first;  ///< graph inputs, self included, known to begin with the batch
  /// The tensors that forward returns, as far as they are known, and their names.
  std::vector<const torch::jit::Value*> outputs;
  std::vector<std::string> output_names;
};

/// Findings in the graph's order, several of one kind in one place taken together. Each is a hint: constants
/// may be meant.
std::vector<AuditFinding> audit(const torch::jit::Module& module, const FlatGraph& flat,
                                const AuditFacts& facts);

/// Devices that the graph names and that only matter when the module is moved, each a sentence.
std::vector<std::string> device_notes(const FlatGraph& flat);

}  // namespace deformdiff::worker
