// A library of operators as users bring them, for the tests of isolation: namespaces right and wrong, and
// misbehaviour on loading, or another result, where the environment asks for it.
#include <cstdio>
#include <cstdlib>
#include <deformdiff/ms_deform_attn.h>
#include <string_view>
#include <tuple>
#include <unistd.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <torch/library.h>

namespace {

std::string_view asked_deed() {
  const char* asked = std::getenv("DEFORMDIFF_FIXTURE");
  return asked == nullptr ? "" : asked;
}

at::Tensor zeros_of_output(const at::Tensor& value, const at::Tensor&, const at::Tensor&,
                           const at::Tensor& sampling_loc, const at::Tensor&, std::int64_t) {
  const auto shape = {value.size(0), sampling_loc.size(1), value.size(2) * value.size(3)};
  if (asked_deed() == "abort the call") std::abort();
  const at::Tensor output = at::empty(shape, value.options());
  return asked_deed() == "ones" ? output.fill_(1) : output.zero_();
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> zeros_of_gradients(const at::Tensor& value, const at::Tensor&,
                                                                  const at::Tensor&,
                                                                  const at::Tensor& sampling_loc,
                                                                  const at::Tensor& attn_weight,
                                                                  const at::Tensor&, std::int64_t) {
  return {at::zeros_like(value), at::zeros_like(sampling_loc), at::zeros_like(attn_weight)};
}

/// Filled with 0 without gradients, 1 with them, 2 in inference mode.
at::Tensor mode_of_call(const at::Tensor& value, const at::Tensor&, const at::Tensor&,
                        const at::Tensor& sampling_loc, const at::Tensor&, std::int64_t) {
  const auto shape = {value.size(0), sampling_loc.size(1), value.size(2) * value.size(3)};
  const int mode = c10::InferenceMode::is_enabled() ? 2 : at::GradMode::is_enabled() ? 1 : 0;
  return at::empty(shape, value.options().requires_grad(false)).fill_(mode);
}

const bool kLoaded = [] {
  const std::string_view deed = asked_deed();
  if (deed == "abort") std::abort();
  if (deed == "exit") std::exit(0);
  if (deed == "hang") ::pause();
  if (deed == "print") std::puts("loading, at length");
  return true;
}();

}  // namespace

TORCH_LIBRARY(fixture, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(fixture, CPU, library) {
  library.impl("ms_deform_attn_forward", zeros_of_output);
}

TORCH_LIBRARY(fixture_mode, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(fixture_mode, CPU, library) {
  library.impl("ms_deform_attn_forward", mode_of_call);
}

TORCH_LIBRARY(fixture_schema, library) {
  library.def("ms_deform_attn_forward(Tensor value) -> Tensor");
}

TORCH_LIBRARY(fixture_no_kernel, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}

TORCH_LIBRARY(fixture_both, library) {
  library.def(deformdiff::kMsDeformAttnForward);
  library.def(deformdiff::kMsDeformAttnBackward);
}
TORCH_LIBRARY_IMPL(fixture_both, CPU, library) {
  library.impl("ms_deform_attn_forward", zeros_of_output);
  library.impl("ms_deform_attn_backward", zeros_of_gradients);
}

TORCH_LIBRARY(fixture_backward, library) {
  library.def(deformdiff::kMsDeformAttnBackward);
}
TORCH_LIBRARY_IMPL(fixture_backward, CPU, library) {
  library.impl("ms_deform_attn_backward", zeros_of_gradients);
}

TORCH_LIBRARY(fixture_backward_schema, library) {
  library.def(deformdiff::kMsDeformAttnForward);
  library.def("ms_deform_attn_backward(Tensor value, Tensor grad_output) -> Tensor");
}
