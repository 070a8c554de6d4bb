// The stages of a block: elementary operations on named values, each judged apart.
#pragma once

#include "core/case.h"
#include "core/view.h"

#include <string>
#include <vector>

namespace deformdiff {

struct StageInput {
  std::string name;  ///< as the operation calls it: "x", "weight"
  /// An input of the case ("param.fc1.weight" among them), or the name of an earlier stage.
  std::string value;
  View view;  ///< of the value, before the operation sees it
};

/// A part of a block: at most one matrix product, softmax, sampling, normalisation or resize, so that its
/// bound stays tight however deep the block is. The operations are those of oracles/operations/operations.h.
struct Stage {
  std::string name;  ///< of the value it computes, as Hugging Face's modules name it
  std::string operation;
  DType dtype;  ///< that the operation computes in: the run's floating one; int64 of constant integers
  std::vector<StageInput> inputs;
  Attributes attributes;
  View view;  ///< of the operation's result
};

}  // namespace deformdiff
