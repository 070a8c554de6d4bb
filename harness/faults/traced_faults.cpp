// The bug that started this project, in its variants: a kernel that is called outside the dispatcher while
// tracing. The tracer sees where its output comes from, not what is written there.
#include "faults/fault.h"
#include "faults/unregistered.h"
#include "subjects/tracing/traced.h"

#include <utility>

namespace deformdiff::worker {

SubjectList traced_faults() {
  SubjectList list;
  const auto add = [&list](const FaultDescription& description, MsDeformAttnFunction function) {
    add_fault(list, description, {"ms_deform_attn"},
              traced(every_block(std::move(function)), Replay::kInterpreter, TracingSizes::kSame));
  };
  add({"traced_unregistered_kernel", "export", "traced with an unregistered kernel: replays zeros", "",
       "out_of_bound"},
      unregistered_kernel);
  add({"traced_uninitialised", "export", "traced with an unregistered kernel: replays memory nobody wrote",
       "", "unwritten_output"},
      uninitialised_kernel);
  add({"traced_baked_constant", "export", "traced with an unregistered kernel: replays the first result", "",
       "out_of_bound"},
      constant_kernel);
  return list;
}

}  // namespace deformdiff::worker
