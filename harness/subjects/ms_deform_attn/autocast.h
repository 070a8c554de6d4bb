// What the registered operator does under autocast.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker::ms_deform_attn {

/// The Autocast kernel of deformdiff::ms_deform_attn_forward: value is cast to the type of autocast, and
/// sampling_loc and attn_weight are float32, which coordinates need: of 16 bits they would be off by pixels
/// on a large map. float64 stays what it is.
at::Tensor forward_under_autocast(const at::Tensor& value, const at::Tensor& spatial_shapes,
                                  const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                                  const at::Tensor& attn_weight, std::int64_t im2col_step);

}  // namespace deformdiff::worker::ms_deform_attn
