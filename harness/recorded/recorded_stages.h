// A safetensors file of a recorded deep block: parameters, inputs, and for each run its outputs and stages,
// under a framework's names, as our own.
#pragma once

#include "blocks/layouts/names.h"
#include "cli/options.h"
#include "core/outcome.h"
#include "core/safetensors.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

/// A run as if a worker had sent it.
struct RecordedStages {
  std::string name;  ///< "recorded/TAG", or "recorded" for a run without a tag
  DType dtype;       ///< that it computed in
  Outcome outcome;
};

struct StagedRecording {
  Attributes attributes;
  std::vector<NamedTensor> inputs;  ///< parameters among them, in their stored dtype
  std::vector<RecordedStages> runs;
  std::vector<std::string> ignored;  ///< tensors that nothing is made of
};

/// The layout that --layout or the file's metadata name; Hugging Face's without either. Throws InputError for
/// one that we do not know.
Layout layout_of(const Options& options, const SafetensorsFile& file);

/// The configuration that --config or the file's metadata hold, as attributes of the block.
Attributes configured_attributes(const Options& options, const SafetensorsFile& file, Layout layout,
                                 const BlockDefinition& block);

/// All attributes of the block, by configuration, shapes of `inputs` and defaults. Throws InputError that
/// names those that must be given with --config.
Attributes complete_attributes(Layout layout, const BlockDefinition& block,
                               const std::vector<NamedTensor>& inputs, const Attributes& configured);

/// Throws InputError naming the tensor that is missing or does not fit.
StagedRecording take_apart_stages(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                                  const Options& options);

/// The same of a file without parameters, for a model whose attributes and parameters (with "param.", our
/// names) are known; its outputs need not be recorded.
StagedRecording take_apart_stages(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                                  const Options& options, const Attributes& attributes,
                                  const std::vector<NamedTensor>& parameters);

/// The case that a run computed: floating inputs widened exactly, or rounded to nearest, to its dtype.
Case staged_case(const BlockDefinition& block, const StagedRecording& recording, DType dtype);

}  // namespace deformdiff::cli
