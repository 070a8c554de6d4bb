#include "faults/misread.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>

namespace deformdiff::worker {

at::Tensor as_if_contiguous(const at::Tensor& tensor) {
  const auto stored = static_cast<std::int64_t>(tensor.storage().nbytes() / tensor.element_size());
  if (tensor.is_contiguous() || tensor.numel() == 0) return tensor;
  const at::Tensor flat = tensor.as_strided({stored}, {1}, 0);
  const at::Tensor positions =
      (at::arange(tensor.numel(), at::kLong) + tensor.storage_offset()).remainder(stored);
  return flat.index_select(0, positions).view(tensor.sizes());
}

ms_deform_attn::Inputs as_if_consecutive(const ms_deform_attn::Inputs& inputs) {
  ms_deform_attn::Inputs wrong = inputs;
  wrong.level_start_index = inputs.level_start_index.clone();
  std::int64_t row = 0;
  for (std::int64_t l = 0; l < inputs.spatial_shapes.size(0); ++l) {
    const std::int64_t area = inputs.spatial_shapes[l].prod().item<std::int64_t>();
    wrong.level_start_index[l] = std::min(row, inputs.value.size(1) - area);
    row += area;
  }
  return wrong;
}

}  // namespace deformdiff::worker
