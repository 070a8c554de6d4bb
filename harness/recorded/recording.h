// A safetensors file of recorded tensors (README.md, "Judging recorded tensors"): parameters, inputs, and for
// each run its outputs and stages, under a framework's names, as a block's own.
#pragma once

#include "core/outcome.h"
#include "core/precision.h"
#include "recorded/recording_options.h"

#include <string>
#include <vector>

namespace deformdiff {

/// A run as if a worker had sent it.
struct RecordedRun {
  std::string name;  ///< "recorded/TAG", or "recorded" for a run without a tag
  DType dtype;       ///< that it computed in: of its outputs, of the inputs where those say nothing
  Outcome outcome;
  std::string unreadable;  ///< why it cannot be judged: an output of a dtype that cannot be; empty if it can
};

struct Recording {
  Attributes attributes;
  std::vector<NamedTensor> inputs;         ///< parameters among them, in their stored dtype
  std::vector<RecordedRun> runs;           ///< by tag, the one without a tag last
  std::vector<std::string> ignored;        ///< tensors that nothing is made of
  std::vector<std::string> read_as_int64;  ///< inputs of narrower integers, with the dtype that they have
};

/// Throws InputError naming the tensor that is missing, cannot be read or does not fit, and for a mapping of
/// something that the block or the file does not have.
Recording read_recording(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                         const RecordingOptions& options);

/// The same for a model whose attributes and parameters (with "param.", our names) are known: those in the
/// file are passed over. Outputs need not be recorded.
Recording read_recording(SafetensorsFile file, const BlockDefinition& block, Layout layout,
                         const Attributes& attributes, const std::vector<NamedTensor>& parameters,
                         const std::map<std::string, std::string>& mapping = {});

/// The dtype of the case that a run computed: that of the run, but float32 under autocast, whose inputs and
/// parameters are.
DType case_dtype(const RecordedRun& run, const Precision& precision);

/// The case that a run computed: floating inputs widened exactly, or rounded to nearest, to its dtype. Mixed
/// types of which that is the 16-bit one stay as they are: of inputs or, where there are any, of parameters.
Case recorded_case(const BlockDefinition& block, const Recording& recording, DType dtype);

}  // namespace deformdiff
