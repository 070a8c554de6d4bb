// Arguments and results of the operator, forward and backward: their validation, and the step from tensors to
// plain arrays.
#pragma once

#include "subjects/ms_deform_attn/forward_arguments.h"

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace deformdiff::worker::ms_deform_attn {

/// Arguments of ms_deform_attn_forward, in the schema's order.
struct Inputs {
  at::Tensor value;              ///< [N, S, M, D]
  at::Tensor spatial_shapes;     ///< int64 [L, 2], height then width
  at::Tensor level_start_index;  ///< int64 [L]
  at::Tensor sampling_loc;       ///< [N, Q, M, L, P, 2], x then y
  at::Tensor attn_weight;        ///< [N, Q, M, L, P]
  std::int64_t im2col_step;      ///< a hint, at least 1
};

/// What ms_deform_attn_backward returns, in the schema's order: of the sum of grad_output * output.
struct Gradients {
  at::Tensor value;         ///< [N, S, M, D]
  at::Tensor sampling_loc;  ///< [N, Q, M, L, P, 2]
  at::Tensor attn_weight;   ///< [N, Q, M, L, P]
};

/// Checks ranks, extents, dtypes and im2col_step; reads no data. sampling_loc and attn_weight have the dtype
/// of value, or are float32 beside a value of 16 bits. Throws c10::Error naming the argument, or
/// c10::NotImplementedError for a floating dtype other than float32, float64, float16 and bfloat16.
void check_structure(const Inputs& inputs);

/// What the kernels compute in: float32 for types of 16 bits, else `dtype` itself.
at::ScalarType compute_type(at::ScalarType dtype);

/// The same with floating tensors of compute_type(), converted where they are not.
Inputs in_compute_type(const Inputs& inputs);

/// work(float{}) or work(double{}), of a compute_type(). Throws c10::NotImplementedError for any other.
template <typename Work>
void with_element_type(at::ScalarType dtype, const Work& work) {
  if (dtype == at::kFloat) {
    work(float{});
  } else {
    TORCH_CHECK_NOT_IMPLEMENTED(dtype == at::kDouble, "ms_deform_attn: dtype ", dtype,
                                " is not implemented (float32, float64)");
    work(double{});
  }
}

/// Checks grad_output, [N, Q, M*D] of the dtype and device of value, as check_structure() does the inputs,
/// which must have passed it.
void check_grad_output(const Inputs& inputs, const at::Tensor& grad_output);

/// Checks that the tensors are on the CPU, that every level lies within `rows` rows and that its sides are in
/// [1, 2^31).
void check_levels(const at::Tensor& spatial_shapes, const at::Tensor& level_start_index, std::int64_t rows);

/// [N, Q, M*D]
std::vector<std::int64_t> output_shape(const Inputs& inputs);

/// The same with every tensor contiguous, copied where it is not.
Inputs contiguous(const Inputs& inputs);

/// Pointers into contiguous inputs and the output, which must outlive the result.
template <typename T>
ForwardArguments<T> arguments_of(const Inputs& inputs, const at::Tensor& output) {
  return {inputs.value.size(0),
          inputs.value.size(1),
          inputs.value.size(2),
          inputs.value.size(3),
          inputs.sampling_loc.size(1),
          inputs.sampling_loc.size(3),
          inputs.sampling_loc.size(4),
          inputs.spatial_shapes.const_data_ptr<std::int64_t>(),
          inputs.level_start_index.const_data_ptr<std::int64_t>(),
          inputs.value.const_data_ptr<T>(),
          inputs.sampling_loc.const_data_ptr<T>(),
          inputs.attn_weight.const_data_ptr<T>(),
          output.mutable_data_ptr<T>()};
}

/// Contiguous gradients, not filled, each of the shape and dtype of its input.
Gradients new_gradients(const Inputs& inputs);

/// The same, each in the dtype of its input.
Gradients in_type_of(const Inputs& inputs, const Gradients& gradients);

/// The same as the kernels read it: contiguous, and sampling_loc and attn_weight of one dtype, float32 where
/// they differ.
Inputs as_kernels_read(const Inputs& inputs);

}  // namespace deformdiff::worker::ms_deform_attn
