#include "faults/faults.h"

#include "faults/fault.h"
#include "faults/wrong_stage.h"

#include <iterator>
#include <string_view>
#include <utility>

namespace deformdiff::worker {
namespace {

void append(SubjectList& list, SubjectList more) {
  list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

SubjectInfo info_of(const FaultDescription& description) {
  SubjectInfo info = fused_info(std::string("fault/") + description.name);
  info.dtypes = {DType::kFloat32, DType::kFloat64};
  info.mixed_dtypes.clear();
  info.fault_class = description.kind;
  info.faulty = description.faulty;
  info.trigger = description.trigger;
  info.expected = description.expected;
  if (description.calls_at_once) info.calls = Concurrency::kAtOnce;
  return info;
}

/// Verdicts about memory and processes are about what the function itself returns and does.
bool is_about_numbers(const FaultDescription& description) {
  const std::string_view expected = description.expected;
  return expected == "out_of_bound" || expected == "nonfinite_mismatch";
}

SubjectInfo of_mixed_types(SubjectInfo info) {
  info.mixed_dtypes = {DType::kFloat16, DType::kBFloat16};
  return info;
}

SubjectInfo of_mixed_types_alone(SubjectInfo info) {
  info.dtypes.clear();
  return of_mixed_types(std::move(info));
}

BlockFunction backward(GradientFunction function) {
  return [function = std::move(function)](const Call& call) {
    return function({call.input("value"), call.input("spatial_shapes"), call.input("level_start_index"),
                     call.input("sampling_loc"), call.input("attn_weight"), call.integer("im2col_step")},
                    call.input("grad_output"));
  };
}

void add_of_backward(SubjectList& list, SubjectInfo info, GradientFunction function) {
  info.blocks = {"ms_deform_attn_backward"};
  list.push_back(make_block_subject(std::move(info), backward(std::move(function))));
}

bool is_mixed(const ms_deform_attn::Inputs& inputs) {
  return inputs.value.scalar_type() != inputs.sampling_loc.scalar_type();
}

}  // namespace

void add_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function) {
  if (!is_about_numbers(description)) {
    list.push_back(make_ms_deform_attn_subject(info_of(description), std::move(function)));
    return;
  }
  list.push_back(
      make_ms_deform_attn_subject(of_mixed_types(info_of(description)),
                                  [function = std::move(function)](const ms_deform_attn::Inputs& inputs) {
                                    if (!is_mixed(inputs)) return function(inputs);
                                    return function(in_compute_type(inputs)).to(inputs.value.scalar_type());
                                  }));
}

void add_mixed_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function) {
  list.push_back(
      make_ms_deform_attn_subject(of_mixed_types_alone(info_of(description)), std::move(function)));
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

void add_mixed_fault(SubjectList& list, const FaultDescription& description, std::set<std::string> blocks,
                     BlockFunction function) {
  SubjectInfo info = of_mixed_types_alone(info_of(description));
  info.blocks = std::move(blocks);
  list.push_back(make_block_subject(std::move(info), std::move(function)));
}

void add_gradient_fault(SubjectList& list, const FaultDescription& description, GradientFunction function) {
  if (!is_about_numbers(description)) {
    add_of_backward(list, info_of(description), std::move(function));
    return;
  }
  add_of_backward(
      list, of_mixed_types(info_of(description)),
      [function = std::move(function)](const ms_deform_attn::Inputs& inputs, const at::Tensor& grad_output) {
        if (!is_mixed(inputs)) return function(inputs, grad_output);
        const ms_deform_attn::Inputs wide = in_compute_type(inputs);
        std::vector<at::Tensor> gradients = function(wide, grad_output.to(wide.value.scalar_type()));
        gradients[0] = gradients[0].to(inputs.value.scalar_type());
        return gradients;
      });
}

void add_mixed_gradient_fault(SubjectList& list, const FaultDescription& description,
                              GradientFunction function) {
  add_of_backward(list, of_mixed_types_alone(info_of(description)), std::move(function));
}

SubjectList fault_subjects() {
  SubjectList list;
  append(list, sampling_faults());
  append(list, arithmetic_faults());
  append(list, mixed_faults());
  append(list, indexing_faults());
  append(list, limit_faults());
  append(list, state_faults());
  append(list, buffer_faults());
  append(list, traced_faults());
  append(list, model_faults());
  append(list, norm_faults());
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
