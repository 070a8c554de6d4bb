#include "faults/faults.h"

#include "faults/fault.h"
#include "faults/wrong_stage.h"

#include <iterator>
#include <utility>

namespace deformdiff::worker {
namespace {

void append(SubjectList& list, SubjectList more) {
  list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

SubjectInfo info_of(const FaultDescription& description) {
  SubjectInfo info = fused_info(std::string("fault/") + description.name);
  info.dtypes = {DType::kFloat32, DType::kFloat64};
  info.fault_class = description.kind;
  info.faulty = description.faulty;
  info.trigger = description.trigger;
  info.expected = description.expected;
  return info;
}

}  // namespace

void add_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function) {
  list.push_back(make_ms_deform_attn_subject(info_of(description), std::move(function)));
}

void add_sixteen_bit_fault(SubjectList& list, const FaultDescription& description,
                           MsDeformAttnFunction function) {
  SubjectInfo info = info_of(description);
  info.dtypes = {DType::kFloat16, DType::kBFloat16};
  list.push_back(make_ms_deform_attn_subject(std::move(info), std::move(function)));
}

void add_fault(SubjectList& list, const FaultDescription& description, std::set<std::string> blocks,
               BlockFunction function) {
  SubjectInfo info = info_of(description);
  info.blocks = std::move(blocks);
  list.push_back(make_block_subject(std::move(info), std::move(function)));
}

void add_gradient_fault(SubjectList& list, const FaultDescription& description, GradientFunction function) {
  add_fault(
      list, description, {"ms_deform_attn_backward"}, [function = std::move(function)](const Call& call) {
        return function({call.input("value"), call.input("spatial_shapes"), call.input("level_start_index"),
                         call.input("sampling_loc"), call.input("attn_weight"), call.integer("im2col_step")},
                        call.input("grad_output"));
      });
}

SubjectList fault_subjects() {
  SubjectList list;
  append(list, sampling_faults());
  append(list, arithmetic_faults());
  append(list, indexing_faults());
  append(list, limit_faults());
  append(list, state_faults());
  append(list, buffer_faults());
  append(list, traced_faults());
  append(list, model_faults());
  append(list, export_faults());
  append(list, gradient_faults());
  append(list, scatter_faults());
  append(list, process_faults());
  append(list, control_kernels());
  return list;
}

std::unique_ptr<Subject> fault_by_name(const std::string& name) {
  SubjectList faults = fault_subjects();
  for (std::unique_ptr<Subject>& fault : faults) {
    if (fault->info().name == name) return std::move(fault);
  }
  return wrong_stage_fault(name);
}

}  // namespace deformdiff::worker
