#include "subjects/ms_deform_attn/arguments.h"

#include "subjects/ms_deform_attn/symbolic_shape.h"

#include <limits>

#include <ATen/ops/empty.h>

namespace deformdiff::worker::ms_deform_attn {
namespace {

/// Of sizes that may be symbols: torch.compile and torch.export trace the Meta kernels with them.
void check_shape(const at::Tensor& tensor, const char* name, c10::SymIntArrayRef wanted, const char* axes) {
  TORCH_CHECK_VALUE(tensor.sym_sizes() == wanted, "ms_deform_attn: ", name, " has shape ", tensor.sym_sizes(),
                    "; ", wanted, " ", axes, " wanted");
}

void check_rank(const at::Tensor& tensor, const char* name, std::int64_t rank, const char* axes) {
  TORCH_CHECK_VALUE(tensor.dim() == rank, "ms_deform_attn: ", name, " has shape ", tensor.sym_sizes(), "; ",
                    rank, " axes ", axes, " wanted");
}

void check_dtype(const at::Tensor& tensor, const char* name, at::ScalarType wanted) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == wanted, "ms_deform_attn: ", name, " is ", tensor.scalar_type(),
                   "; ", wanted, " wanted");
}

/// As value, or as autocast leaves it beside a value of 16 bits.
void check_dtype_beside(const at::Tensor& tensor, const char* name, at::ScalarType of_value) {
  if (tensor.scalar_type() != compute_type(of_value)) check_dtype(tensor, name, of_value);
}

void check_same_device(const at::Tensor& tensor, const char* name, const at::Tensor& value) {
  TORCH_CHECK_VALUE(tensor.device() == value.device(), "ms_deform_attn: ", name, " is on ", tensor.device(),
                    ", value on ", value.device(), "; one device wanted");
}

void check_one_level(std::int64_t level, std::int64_t height, std::int64_t width, std::int64_t start,
                     std::int64_t rows) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
  TORCH_CHECK_VALUE(height >= 1 && width >= 1 && height <= kLimit && width <= kLimit,
                    "ms_deform_attn: spatial_shapes: level ", level, " is ", height, " x ", width,
                    "; sides from 1 to ", kLimit, " wanted");
  const std::int64_t area = height * width;
  TORCH_CHECK_VALUE(start >= 0 && area <= rows && start <= rows - area,
                    "ms_deform_attn: level_start_index: level ", level, " (", height, " x ", width,
                    ") starts at row ", start, " and leaves the ", rows, " rows of value");
}

}  // namespace

void check_structure(const Inputs& inputs) {
  const auto& [value, shapes, starts, locations, weights, im2col_step] = inputs;
  check_rank(value, "value", 4, "[N, S, M, D]");
  check_rank(locations, "sampling_loc", 6, "[N, Q, M, L, P, 2]");
  check_rank(shapes, "spatial_shapes", 2, "[L, 2]");
  const at::ScalarType dtype = value.scalar_type();
  TORCH_CHECK_TYPE(value.is_floating_point(), "ms_deform_attn: value is ", dtype,
                   "; a floating dtype wanted");
  with_element_type(compute_type(dtype), [](auto) {});
  check_dtype_beside(locations, "sampling_loc", dtype);
  check_dtype_beside(weights, "attn_weight", dtype);
  check_dtype(shapes, "spatial_shapes", at::kLong);
  check_dtype(starts, "level_start_index", at::kLong);
  check_same_device(locations, "sampling_loc", value);
  check_same_device(weights, "attn_weight", value);
  const c10::SymInt levels = shapes.sym_size(0);
  check_shape(shapes, "spatial_shapes", {levels, 2}, "[L, 2]");
  check_shape(starts, "level_start_index", {levels}, "[L]");
  const c10::SymInt batch = value.sym_size(0), heads = value.sym_size(2);
  const c10::SymInt queries = locations.sym_size(1), points = locations.sym_size(4);
  check_shape(locations, "sampling_loc", {batch, queries, heads, levels, points, 2}, "[N, Q, M, L, P, 2]");
  check_shape(weights, "attn_weight", {batch, queries, heads, levels, points}, "[N, Q, M, L, P]");
  TORCH_CHECK_VALUE(im2col_step >= 1, "ms_deform_attn: im2col_step is ", im2col_step, "; at least 1 wanted");
}

void check_grad_output(const Inputs& inputs, const at::Tensor& grad_output) {
  check_dtype(grad_output, "grad_output", inputs.value.scalar_type());
  check_same_device(grad_output, "grad_output", inputs.value);
  check_shape(grad_output, "grad_output", symbolic_output_shape(inputs), "[N, Q, M*D]");
}

void check_levels(const at::Tensor& spatial_shapes, const at::Tensor& level_start_index, std::int64_t rows) {
  TORCH_CHECK_VALUE(spatial_shapes.is_cpu() && level_start_index.is_cpu(),
                    "ms_deform_attn: spatial_shapes and level_start_index must be on the CPU, as value is");
  const auto shapes = spatial_shapes.accessor<std::int64_t, 2>();
  const auto starts = level_start_index.accessor<std::int64_t, 1>();
  for (std::int64_t l = 0; l < shapes.size(0); ++l) {
    check_one_level(l, shapes[l][0], shapes[l][1], starts[l], rows);
  }
}

at::ScalarType compute_type(at::ScalarType dtype) {
  return dtype == at::kHalf || dtype == at::kBFloat16 ? at::kFloat : dtype;
}

Inputs in_compute_type(const Inputs& inputs) {
  const at::ScalarType type = compute_type(inputs.value.scalar_type());
  return {inputs.value.to(type),        inputs.spatial_shapes,       inputs.level_start_index,
          inputs.sampling_loc.to(type), inputs.attn_weight.to(type), inputs.im2col_step};
}

std::vector<c10::SymInt> symbolic_output_shape(const Inputs& inputs) {
  return {inputs.value.sym_size(0), inputs.sampling_loc.sym_size(1),
          inputs.value.sym_size(2) * inputs.value.sym_size(3)};
}

std::vector<std::int64_t> output_shape(const Inputs& inputs) {
  return {inputs.value.size(0), inputs.sampling_loc.size(1), inputs.value.size(2) * inputs.value.size(3)};
}

Inputs contiguous(const Inputs& inputs) {
  return {inputs.value.contiguous(),
          inputs.spatial_shapes.contiguous(),
          inputs.level_start_index.contiguous(),
          inputs.sampling_loc.contiguous(),
          inputs.attn_weight.contiguous(),
          inputs.im2col_step};
}

Gradients in_type_of(const Inputs& inputs, const Gradients& gradients) {
  return {gradients.value.to(inputs.value.scalar_type()),
          gradients.sampling_loc.to(inputs.sampling_loc.scalar_type()),
          gradients.attn_weight.to(inputs.attn_weight.scalar_type())};
}

Gradients new_gradients(const Inputs& inputs) {
  const auto like = [](const at::Tensor& tensor) {
    return at::empty_symint(tensor.sym_sizes(), tensor.options());
  };
  return {like(inputs.value), like(inputs.sampling_loc), like(inputs.attn_weight)};
}

Inputs as_kernels_read(const Inputs& inputs) {
  Inputs dense = contiguous(inputs);
  if (dense.sampling_loc.scalar_type() != dense.attn_weight.scalar_type()) {
    dense.sampling_loc = dense.sampling_loc.to(at::kFloat);
    dense.attn_weight = dense.attn_weight.to(at::kFloat);
  }
  return dense;
}

}  // namespace deformdiff::worker::ms_deform_attn
