// Memory between calls.
#include "faults/fault.h"
#include "subjects/ms_deform_attn/forward.h"

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

using ByShape = std::map<std::vector<std::int64_t>, at::Tensor>;

std::vector<std::int64_t> shape_key(const Inputs& inputs) {
  std::vector<std::int64_t> key = output_shape(inputs);
  key.push_back(static_cast<std::int64_t>(inputs.value.scalar_type()));
  return key;
}

/// Returns the first result for each shape of output again.
MsDeformAttnFunction cached_by_shape() {
  return [results = ByShape()](const Inputs& inputs) mutable {
    auto& result = results[shape_key(inputs)];
    if (!result.defined()) result = forward_cpu(inputs);
    return result.clone();
  };
}

/// Adds to a buffer that is cleared behind each call, and not before the first.
MsDeformAttnFunction dirty_at_first() {
  return [used = false](const Inputs& inputs) mutable {
    at::Tensor result = forward_cpu(inputs);
    return std::exchange(used, true) ? result : result.add_(0.25);
  };
}

/// Copies value, to have it contiguous, into a buffer that all calls share.
MsDeformAttnFunction shared_workspace() {
  struct Workspace {
    std::mutex mutex;
    at::Tensor memory;
  };
  return [workspace = std::make_shared<Workspace>()](const Inputs& inputs) {
    const at::NoGradGuard no_grad;
    at::Tensor memory;
    {
      const std::lock_guard lock(workspace->mutex);
      at::Tensor& kept = workspace->memory;
      const bool fits = kept.defined() && kept.numel() >= inputs.value.numel() &&
                        kept.scalar_type() == inputs.value.scalar_type();
      if (!fits) kept = at::empty({inputs.value.numel()}, inputs.value.options());
      memory = kept;
    }
    Inputs own = inputs;
    own.value = memory.narrow(0, 0, inputs.value.numel()).view(inputs.value.sizes());
    own.value.copy_(inputs.value);
    return forward_cpu(own);
  };
}

}  // namespace

SubjectList state_faults() {
  SubjectList list;
  add_fault(list,
            {"dirty_at_first", "state", "adds to what is in its buffer in the first call of the process", "",
             "out_of_bound"},
            dirty_at_first());
  add_fault(list,
            {"cached_by_shape", "state", "returns the first result for each output shape again", "",
             "out_of_bound"},
            cached_by_shape());
  add_fault(list,
            {"shared_workspace", "state", "copies value into a buffer that calls of all threads share", "",
             "out_of_bound", true},
            shared_workspace());
  return list;
}

}  // namespace deformdiff::worker
