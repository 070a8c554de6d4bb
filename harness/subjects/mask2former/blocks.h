// Mask2Former's blocks as a user of LibTorch writes them, over any implementation of deformable attention.
#pragma once

#include "subjects/function_subject.h"
#include "subjects/subject.h"

#include <set>
#include <string>
#include <vector>

namespace deformdiff::worker::mask2former {

/// Names of the blocks that run_block knows.
const std::set<std::string>& block_names();

/// The outputs of the call's block, in order. Every stage is shown to the call's taps. A tracer records a
/// graph that is right for other values, other batches and other sizes of maps, as far as `op` is.
std::vector<at::Tensor> run_block(const Call& call, const MsDeformAttnFunction& op);

}  // namespace deformdiff::worker::mask2former
