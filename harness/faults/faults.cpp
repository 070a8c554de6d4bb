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
  info.faulty = description.faulty;
  info.trigger = description.trigger;
  info.expected = description.expected;
  return info;
}

}  // namespace

void add_fault(SubjectList& list, const FaultDescription& description, MsDeformAttnFunction function) {
  list.push_back(make_ms_deform_attn_subject(info_of(description), std::move(function)));
}

void add_fault(SubjectList& list, const FaultDescription& description, std::set<std::string> blocks,
               BlockFunction function) {
  SubjectInfo info = info_of(description);
  info.blocks = std::move(blocks);
  list.push_back(make_block_subject(std::move(info), std::move(function)));
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
