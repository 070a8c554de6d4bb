// A block inside a whole model, from image to masks: its inputs are what the model itself feeds it.
#pragma once

#include "blocks/levels.h"
#include "check/checked_model.h"
#include "check/exported_module.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// The block as one run of the model shows it.
struct BlockInModel {
  Case problem;  ///< what the model gives the block, and the block's parameters; empty if it did not return
  Outcome outcome;  ///< the block's outputs and stages, or why the run did not return
  /// For each output of the block, which of the model's own it is; nothing for one that the model keeps
  /// inside.
  std::vector<std::optional<std::size_t>> returned;
  /// Outputs that are not in the graph, for the model makes nothing of them: what they should be stands in.
  std::vector<std::string> unused;
};

/// Three channels of numbers between -2 and 2, as images are once they are normalised.
Tensor random_image(DType dtype, std::int64_t batch, const LevelSize& size, std::uint64_t seed);

/// Runs the recorded graph on the image; what the call of the block takes and gives is tapped. Throws
/// InputError naming the inputs that cannot be told among what it takes.
BlockInModel run_on_image(ExportedModule& module, const CheckedModel& model, const Tensor& image,
                          const SubjectInfo& info, int threads);

}  // namespace deformdiff
