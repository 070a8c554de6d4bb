// A fault: an implementation that is wrong on purpose, with the verdict it must get.
#pragma once

#include "subjects/function_subject.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace deformdiff::worker {

struct FaultDescription {
  const char* name;            ///< without "fault/"
  const char* kind;            ///< class that summaries count it in: "coordinates", "border", ...
  const char* faulty;          ///< what is wrong, in a few words
  const char* trigger;         ///< trigger class without which it cannot show, or ""
  const char* expected;        ///< the verdict it must get
  bool calls_at_once = false;  ///< it claims that several threads may call it at once
};

/// Adds a subject that claims everything our own CPU kernel claims, of float32 and float64, and computes with
/// `function`. Where its verdict is about numbers it claims the mixed types too, computed with in float32.
void add_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function);

/// The same of the types of 16 bits instead, which it claims to compute with in float32.
void add_sixteen_bit_fault(SubjectList& list, const FaultDescription& description,
                           MsDeformAttnFunction function);

/// The same of the mixed types alone, whose tensors `function` is given as they are.
void add_mixed_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function);

/// Adds a subject that claims the same as the first, of float32 and float64 alone, computes with `function`,
/// and does `blocks` only.
void add_fault(SubjectList& list, const FaultDescription& description, std::set<std::string> blocks,
               BlockFunction function);

/// The same of the mixed types alone: models of 16 bits but for the parameters of norms.
void add_mixed_fault(SubjectList& list, const FaultDescription& description, std::set<std::string> blocks,
                     BlockFunction function);

/// Gradients of value, sampling_loc and attn_weight, of the inputs and grad_output.
using GradientFunction =
    std::function<std::vector<at::Tensor>(const ms_deform_attn::Inputs&, const at::Tensor&)>;

/// Adds a subject of block ms_deform_attn_backward that claims the same as the first and computes with
/// `function`.
void add_gradient_fault(SubjectList& list, const FaultDescription& description, GradientFunction function);

/// The same of the mixed types alone, whose tensors `function` is given as they are.
void add_mixed_gradient_fault(SubjectList& list, const FaultDescription& description,
                              GradientFunction function);

// The faults, by class.
SubjectList sampling_faults();    ///< coordinates, interpolation, padding
SubjectList arithmetic_faults();  ///< precision, special numbers, weights
SubjectList mixed_faults();       ///< types of tensors that differ
SubjectList indexing_faults();    ///< axes, strides, level starts
SubjectList limit_faults();       ///< what lies beyond some extent is not computed
SubjectList state_faults();       ///< memory between calls
SubjectList buffer_faults();      ///< what shows only in the buffers of a worker
SubjectList traced_faults();      ///< kernels called outside the dispatcher while tracing
SubjectList model_faults();       ///< models that use a right operator wrongly
SubjectList norm_faults();        ///< models whose layer norms and group norms are others
SubjectList export_faults();      ///< what exports of whole models silently get wrong
SubjectList gradient_faults();    ///< the operator's backward: what is added up, and by what it is multiplied
SubjectList scatter_faults();     ///< the same: where it is added, and what is left out

/// Right code of block ms_deform_attn that computes in other ways than ours.
SubjectList control_kernels();

/// Faults that break more than numbers: they crash, hang, print, or write where they should not. They prove
/// that whatever a subject does is one verdict about it, and that a run goes on. Each misbehaves where N*Q is
/// odd and gives the right answer elsewhere.
SubjectList process_faults();

}  // namespace deformdiff::worker
