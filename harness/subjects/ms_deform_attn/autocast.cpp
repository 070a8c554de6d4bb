#include "subjects/ms_deform_attn/autocast.h"

#include "subjects/ms_deform_attn/forward.h"

#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace deformdiff::worker::ms_deform_attn {

at::Tensor forward_under_autocast(const at::Tensor& value, const at::Tensor& spatial_shapes,
                                  const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                                  const at::Tensor& attn_weight, std::int64_t im2col_step) {
  const c10::DeviceType device = value.device().type();
  const c10::impl::ExcludeDispatchKeyGuard below(
      at::autocast::get_autocast_dispatch_key_from_device_type(device));
  const auto cast = [device](at::ScalarType dtype, const at::Tensor& tensor) {
    return at::autocast::cached_cast(dtype, tensor, device);
  };
  return forward_operator({cast(at::autocast::get_autocast_dtype(device), value), spatial_shapes,
                           level_start_index, cast(at::kFloat, sampling_loc), cast(at::kFloat, attn_weight),
                           im2col_step});
}

}  // namespace deformdiff::worker::ms_deform_attn
