// A subject made of a description and a function of tensors.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/subject.h"

#include <functional>
#include <memory>

namespace deformdiff::worker {

using MsDeformAttnFunction = std::function<at::Tensor(const ms_deform_attn::Inputs&)>;

/// A subject of block ms_deform_attn.
std::unique_ptr<Subject> make_ms_deform_attn_subject(SubjectInfo info, MsDeformAttnFunction function);

/// What every float32 and float64 implementation of the fused formula `loc*W - 1/2` on the CPU says of
/// itself: name, block, dtypes, precision and the contract of our own kernels.
SubjectInfo fused_info(std::string name);

/// The same of the grid_sampler path.
SubjectInfo composite_info(std::string name);

}  // namespace deformdiff::worker
