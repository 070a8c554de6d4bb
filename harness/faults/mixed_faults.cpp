// A value of 16 bits beside float32 locations and weights: kernels written for one type, which all tensors
// are made to have.
#include "faults/fault.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/forward.h"

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

/// With the numbers that `value`'s type has.
at::Tensor rounded_as(const at::Tensor& value, const at::Tensor& tensor) {
  return tensor.to(value.scalar_type()).to(tensor.scalar_type());
}

/// As MMCV's function of autograd does under autocast: sampling_locations.type_as(value).
Inputs with_rounded_locations(Inputs inputs) {
  inputs.sampling_loc = rounded_as(inputs.value, inputs.sampling_loc);
  return inputs;
}

at::Tensor rounded_locations(const Inputs& inputs) {
  return forward_cpu(with_rounded_locations(inputs));
}

at::Tensor rounded_weights(const Inputs& inputs) {
  Inputs rounded = inputs;
  rounded.attn_weight = rounded_as(inputs.value, inputs.attn_weight);
  return forward_cpu(rounded);
}

/// The first half of their memory, taken for numbers of value's type.
at::Tensor misread_locations(const Inputs& inputs) {
  const at::Tensor& locations = inputs.sampling_loc;
  Inputs wrong = inputs;
  wrong.sampling_loc = locations.contiguous()
                           .flatten()
                           .view(inputs.value.scalar_type())
                           .narrow(0, 0, locations.numel())
                           .view(locations.sizes())
                           .to(locations.scalar_type());
  return forward_cpu(wrong);
}

/// As promotion of types leaves it.
at::Tensor promoted_output(const Inputs& inputs) {
  return forward_cpu(inputs).to(inputs.sampling_loc.scalar_type());
}

std::vector<at::Tensor> in_order(const Gradients& gradients) {
  return {gradients.value, gradients.sampling_loc, gradients.attn_weight};
}

std::vector<at::Tensor> gradient_at_rounded_locations(const Inputs& inputs, const at::Tensor& grad_output) {
  return in_order(backward_cpu(with_rounded_locations(inputs), grad_output));
}

std::vector<at::Tensor> rounded_gradients(const Inputs& inputs, const at::Tensor& grad_output) {
  const Gradients gradients = backward_cpu(inputs, grad_output);
  return {gradients.value, rounded_as(inputs.value, gradients.sampling_loc),
          rounded_as(inputs.value, gradients.attn_weight)};
}

std::vector<at::Tensor> gradients_of_one_type(const Inputs& inputs, const at::Tensor& grad_output) {
  const Gradients gradients = backward_cpu(inputs, grad_output);
  const at::ScalarType type = inputs.value.scalar_type();
  return {gradients.value, gradients.sampling_loc.to(type), gradients.attn_weight.to(type)};
}

constexpr const char* kTrigger = "mixed_types";

}  // namespace

SubjectList mixed_faults() {
  SubjectList list;
  add_mixed_fault(list,
                  {"mixed_rounded_locations", "coordinates", "float32 locations are rounded to value's type",
                   kTrigger, "out_of_bound"},
                  rounded_locations);
  add_mixed_fault(list,
                  {"mixed_rounded_weights", "precision", "float32 weights are rounded to value's type",
                   kTrigger, "out_of_bound"},
                  rounded_weights);
  add_mixed_fault(list,
                  {"mixed_misread_locations", "indexing",
                   "float32 locations are read as if they had value's type", kTrigger, "out_of_bound"},
                  misread_locations);
  add_mixed_fault(list,
                  {"mixed_promoted_output", "precision", "the output is float32 as locations are", kTrigger,
                   "wrong_structure"},
                  promoted_output);
  add_mixed_gradient_fault(
      list,
      {"mixed_gradient_locations", "coordinates",
       "gradients are taken where locations rounded to value's type lie", kTrigger, "out_of_bound"},
      gradient_at_rounded_locations);
  add_mixed_gradient_fault(list,
                           {"mixed_gradient_rounded", "precision",
                            "float32 gradients are rounded to value's type", kTrigger, "out_of_bound"},
                           rounded_gradients);
  add_mixed_gradient_fault(
      list,
      {"mixed_gradient_type", "precision", "all gradients have value's type", kTrigger, "wrong_structure"},
      gradients_of_one_type);
  return list;
}

}  // namespace deformdiff::worker
