#include "faults/unregistered.h"

#include "subjects/ms_deform_attn/forward.h"

#include <cstddef>
#include <memory>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/accumulate.h>

namespace deformdiff::worker {

using namespace ms_deform_attn;

at::Tensor unregistered_kernel(const Inputs& inputs) {
  const std::int64_t batch = inputs.value.size(0), queries = inputs.sampling_loc.size(1);
  const std::int64_t heads = inputs.value.size(2), channels = inputs.value.size(3);
  const at::Tensor output = at::zeros({batch, queries, heads, channels}, inputs.value.options());
  forward_cpu_into(inputs, output);
  return output.view({batch, queries, heads * channels});
}

at::Tensor uninitialised_kernel(const Inputs& inputs) {
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  forward_cpu_into(inputs, output);
  return output;
}

at::Tensor constant_kernel(const Inputs& inputs) {
  const std::vector<std::int64_t> shape = output_shape(inputs);
  const auto bytes = static_cast<std::size_t>(c10::multiply_integers(shape)) * inputs.value.element_size();
  const auto scratch = std::make_shared<std::vector<std::byte>>(bytes);
  const at::Tensor result = at::from_blob(
      scratch->data(), shape, [scratch](void*) {}, inputs.value.options());
  forward_cpu_into(inputs, result);
  return result.clone();
}

}  // namespace deformdiff::worker
