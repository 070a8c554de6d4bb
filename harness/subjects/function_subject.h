// A subject made of a description and a function of tensors.
#pragma once

#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/subject.h"

#include <functional>
#include <memory>
#include <vector>

namespace deformdiff::worker {

using MsDeformAttnFunction = std::function<at::Tensor(const ms_deform_attn::Inputs&)>;

/// Of the inputs and grad_output.
using MsDeformAttnBackward =
    std::function<ms_deform_attn::Gradients(const ms_deform_attn::Inputs&, const at::Tensor&)>;

/// A subject of block ms_deform_attn.
std::unique_ptr<Subject> make_ms_deform_attn_subject(SubjectInfo info, MsDeformAttnFunction function);

/// A function that computes any block.
using BlockFunction = std::function<std::vector<at::Tensor>(const Call&)>;

/// Every block: ms_deform_attn is the function, ms_deform_attn_backward autograd through it, the others are
/// models that call it.
BlockFunction every_block(MsDeformAttnFunction function);

/// The same with a backward of its own.
BlockFunction every_block(MsDeformAttnFunction function, MsDeformAttnBackward backward);

/// A subject of the blocks that its info names.
std::unique_ptr<Subject> make_block_subject(SubjectInfo info, BlockFunction function);

/// The same description, with every block there is.
SubjectInfo of_every_block(SubjectInfo info);

/// What every implementation of the fused formula `loc*W - 1/2` on the CPU says of
/// itself: name, block, dtypes, precision and the contract of our own kernels.
SubjectInfo fused_info(std::string name);

/// The same of the grid_sampler path.
SubjectInfo composite_info(std::string name);

}  // namespace deformdiff::worker
