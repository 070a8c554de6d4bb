// A safetensors file of recorded tensors, taken apart into runs of a block (DESIGN section 13, "Recorded
// tensors").
#pragma once

#include "core/block.h"
#include "core/safetensors.h"

#include <map>
#include <string>
#include <vector>

namespace deformdiff::cli {

struct RecordedRun {
  std::string name;  ///< "recorded/TAG", or "recorded" for a run without a tag
  std::vector<NamedTensor> outputs;
};

struct Recording {
  std::map<std::string, Tensor> inputs;  ///< by the block's names, in their stored dtype
  std::vector<RecordedRun> runs;
  std::vector<std::string> ignored;  ///< tensors that are neither
};

/// `mapping` is from our names to the file's. Throws InputError naming the tensor that is missing, and for a
/// mapping of something that the block or the file does not have.
Recording take_apart(const SafetensorsFile& file, const Block& block,
                     const std::vector<std::string>& output_names,
                     const std::map<std::string, std::string>& mapping);

/// The case that a run computed: floating inputs widened exactly, or rounded to nearest, to `dtype`.
Case recorded_case(const Recording& recording, const Block& block, DType dtype, const Attributes& attributes);

}  // namespace deformdiff::cli
