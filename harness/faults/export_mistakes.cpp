#include "faults/export_mistakes.h"

#include "faults/normaliser.h"
#include "subjects/ms_deform_attn/forward.h"

#include <memory>

#include <ATen/ops/cat.h>
#include <ATen/ops/dropout.h>

namespace deformdiff::worker {

using ms_deform_attn::forward_operator;
using ms_deform_attn::Inputs;

at::Tensor baked_levels(const Inputs& inputs) {
  Inputs wrong = inputs;
  wrong.spatial_shapes = baked(inputs.spatial_shapes);
  wrong.level_start_index = baked(inputs.level_start_index);
  return forward_operator(wrong);
}

at::Tensor unrolled_batch(const Inputs& inputs) {
  std::vector<at::Tensor> results;
  for (std::int64_t n = 0; n < inputs.value.size(0); ++n) {
    results.push_back(forward_operator({inputs.value.narrow(0, n, 1), inputs.spatial_shapes,
                                        inputs.level_start_index, inputs.sampling_loc.narrow(0, n, 1),
                                        inputs.attn_weight.narrow(0, n, 1), inputs.im2col_step}));
  }
  return at::cat(results);
}

Tamper dropout_left_in(const Call& /*call*/) {
  return [](const std::string& stage, const at::Tensor& value) {
    return is_stage(stage, "fc2") ? at::dropout(value, 0.1, /*train=*/true) : value;
  };
}

Tamper keep_blocked_rows(const Call& /*call*/) {
  const auto raw = std::make_shared<at::Tensor>();
  return [raw](const std::string& stage, const at::Tensor& value) {
    if (is_stage(stage, "attention_mask_raw")) *raw = value;
    return is_stage(stage, "decoder.attention_mask") ? *raw : value;
  };
}

}  // namespace deformdiff::worker
