#include "subjects/subjects.h"

#include "subjects/cuda_subjects.h"
#include "subjects/function_subject.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/traced.h"

namespace deformdiff::worker {

SubjectList builtin_subjects() {
  using namespace ms_deform_attn;
  const auto make = [](SubjectInfo info, MsDeformAttnFunction function) {
    return make_block_subject(of_every_block(std::move(info)), every_block(std::move(function)));
  };
  SubjectList list;
  list.push_back(make(fused_info("cpu"), forward_operator));
  list.push_back(cuda_subject());
  list.push_back(make(fused_info("cuda_emulated"), forward_cuda_emulated));
  list.push_back(make(composite_info("composite"), forward_composite));
  list.push_back(composite_cuda_subject());
  list.push_back(make_ms_deform_attn_subject(composite_info("traced/composite"),
                                             traced(forward_composite, Reload::kNo)));
  list.push_back(make_ms_deform_attn_subject(fused_info("traced/op"), traced(forward_operator, Reload::kNo)));
  list.push_back(make_ms_deform_attn_subject(composite_info("traced/composite/reloaded"),
                                             traced(forward_composite, Reload::kYes)));
  list.push_back(
      make_ms_deform_attn_subject(fused_info("traced/op/reloaded"), traced(forward_operator, Reload::kYes)));
  return list;
}

}  // namespace deformdiff::worker
