#include "subjects/ms_deform_attn/autograd.h"

#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/forward.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor forward_below_autograd(const Inputs& inputs) {
  const at::AutoDispatchBelowADInplaceOrView below;
  return forward_operator(inputs);
}

Gradients backward_below_autograd(const Inputs& inputs, const at::Tensor& grad_output) {
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_operator(inputs, grad_output);
}

class Forward : public torch::autograd::Function<Forward> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& value,
                            const at::Tensor& spatial_shapes, const at::Tensor& level_start_index,
                            const at::Tensor& sampling_loc, const at::Tensor& attn_weight,
                            std::int64_t im2col_step) {
    context->save_for_backward({value, spatial_shapes, level_start_index, sampling_loc, attn_weight});
    context->saved_data["im2col_step"] = im2col_step;
    context->set_materialize_grads(false);
    return forward_below_autograd(
        {value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step});
  }

  static variable_list backward(AutogradContext* context, const variable_list& grad_outputs) {
    // Nothing that was differentiated depends on the output.
    if (!grad_outputs[0].defined()) return variable_list(6);
    const variable_list saved = context->get_saved_variables();
    const Gradients gradients = backward_operator(
        {saved[0], saved[1], saved[2], saved[3], saved[4], context->saved_data["im2col_step"].toInt()},
        grad_outputs[0]);
    return {gradients.value, {}, {}, gradients.sampling_loc, gradients.attn_weight, {}};
  }
};

class Backward : public torch::autograd::Function<Backward> {
 public:
  static variable_list forward(AutogradContext*, const at::Tensor& value, const at::Tensor& spatial_shapes,
                               const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                               const at::Tensor& attn_weight, const at::Tensor& grad_output,
                               std::int64_t im2col_step) {
    const Gradients gradients = backward_below_autograd(
        {value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step}, grad_output);
    return {gradients.value, gradients.sampling_loc, gradients.attn_weight};
  }

  static variable_list backward(AutogradContext*, const variable_list&) {
    TORCH_CHECK_NOT_IMPLEMENTED(false,
                                "deformdiff::ms_deform_attn_backward has no derivative: the operator can be "
                                "differentiated once, not twice (double backward)");
  }
};

}  // namespace

at::Tensor forward_with_autograd(const at::Tensor& value, const at::Tensor& spatial_shapes,
                                 const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                                 const at::Tensor& attn_weight, std::int64_t im2col_step) {
  // Where nothing can be recorded: a node that is thrown away costs more than the operator on a small case.
  if (!at::GradMode::is_enabled()) {
    return forward_below_autograd(
        {value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step});
  }
  return Forward::apply(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_without_derivative(
    const at::Tensor& value, const at::Tensor& spatial_shapes, const at::Tensor& level_start_index,
    const at::Tensor& sampling_loc, const at::Tensor& attn_weight, const at::Tensor& grad_output,
    std::int64_t im2col_step) {
  if (!at::GradMode::is_enabled()) {
    const Gradients gradients = backward_below_autograd(
        {value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step}, grad_output);
    return {gradients.value, gradients.sampling_loc, gradients.attn_weight};
  }
  const variable_list gradients = Backward::apply(value, spatial_shapes, level_start_index, sampling_loc,
                                                  attn_weight, grad_output, im2col_step);
  return {gradients[0], gradients[1], gradients[2]};
}

}  // namespace deformdiff::worker::ms_deform_attn
