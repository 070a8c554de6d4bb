// The bug that started this project, in its variants: a kernel that is called outside the dispatcher while
// tracing. The tracer sees where its output comes from, not what is written there.
#include "faults/fault.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/traced.h"

#include <cstddef>
#include <memory>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/accumulate.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

/// As mmcv: the graph keeps the zeros alone.
at::Tensor unregistered_kernel(const Inputs& inputs) {
  const std::int64_t batch = inputs.value.size(0), queries = inputs.sampling_loc.size(1);
  const std::int64_t heads = inputs.value.size(2), channels = inputs.value.size(3);
  const at::Tensor output = at::zeros({batch, queries, heads, channels}, inputs.value.options());
  forward_cpu_into(inputs, output);
  return output.view({batch, queries, heads * channels});
}

/// The same with memory that nobody has written.
at::Tensor uninitialised(const Inputs& inputs) {
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  forward_cpu_into(inputs, output);
  return output;
}

/// The kernel writes into memory of its own: the tracer keeps the first result as a constant.
at::Tensor baked_constant(const Inputs& inputs) {
  const std::vector<std::int64_t> shape = output_shape(inputs);
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * inputs.value.element_size();
  const auto scratch = std::make_shared<std::vector<std::byte>>(bytes);
  const at::Tensor result = at::from_blob(
      scratch->data(), shape, [scratch](void*) {}, inputs.value.options());
  forward_cpu_into(inputs, result);
  return result.clone();
}

}  // namespace

SubjectList traced_faults() {
  SubjectList list;
  list.push_back(make_fault(
      {"traced_unregistered_kernel", "traced with an unregistered kernel: replays zeros", "", "out_of_bound"},
      traced(unregistered_kernel, Reload::kNo)));
  list.push_back(
      make_fault({"traced_uninitialised", "traced with an unregistered kernel: replays memory nobody wrote",
                  "", "unwritten_output"},
                 traced(uninitialised, Reload::kNo)));
  list.push_back(
      make_fault({"traced_baked_constant", "traced with an unregistered kernel: replays the first result", "",
                  "out_of_bound"},
                 traced(baked_constant, Reload::kNo)));
  return list;
}

}  // namespace deformdiff::worker
