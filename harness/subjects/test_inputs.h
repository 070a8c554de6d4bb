// Inputs for tests of implementations and faults.
#pragma once

#include "core/random.h"
#include "subjects/ms_deform_attn/arguments.h"
#include "subjects/subject.h"

#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>

namespace deformdiff::worker {

using TestLevels = std::vector<std::pair<std::int64_t, std::int64_t>>;  ///< height, width

inline TestLevels two_levels() {
  return {{5, 7}, {3, 4}};
}

struct TestShape {
  TestLevels levels = two_levels();
  std::int64_t batch = 2, heads = 3, channels = 5, queries = 6, points = 2;
  std::int64_t im2col_step = 64;
  at::ScalarType dtype = at::kDouble;
};

inline at::Tensor random_tensor(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed, double low,
                                double high) {
  const at::Tensor tensor = at::empty(shape, at::kDouble);
  const CounterRandom random(seed);
  auto* values = tensor.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = low + (high - low) * random.uniform(static_cast<std::uint64_t>(i));
  }
  return tensor.to(dtype);
}

/// Consecutive levels; values in [-1, 1], weights in [0, 1], locations in [-0.2, 1.2].
inline ms_deform_attn::Inputs test_inputs(const TestShape& shape, std::uint64_t seed = 1) {
  const auto levels = static_cast<std::int64_t>(shape.levels.size());
  const at::Tensor sides = at::empty({levels, 2}, at::kLong);
  const at::Tensor starts = at::empty({levels}, at::kLong);
  std::int64_t rows = 0;
  for (std::int64_t l = 0; l < levels; ++l) {
    const auto [height, width] = shape.levels[static_cast<std::size_t>(l)];
    sides.mutable_data_ptr<std::int64_t>()[2 * l] = height;
    sides.mutable_data_ptr<std::int64_t>()[2 * l + 1] = width;
    starts.mutable_data_ptr<std::int64_t>()[l] = rows;
    rows += height * width;
  }
  const std::int64_t n = shape.batch, m = shape.heads, q = shape.queries, p = shape.points;
  return {random_tensor({n, rows, m, shape.channels}, shape.dtype, 3 * seed, -1, 1),
          sides,
          starts,
          random_tensor({n, q, m, levels, p, 2}, shape.dtype, 3 * seed + 1, -0.2, 1.2),
          random_tensor({n, q, m, levels, p}, shape.dtype, 3 * seed + 2, 0, 1),
          shape.im2col_step};
}

/// [N, Q, M*D] in [-1, 1]
inline at::Tensor test_grad_output(const ms_deform_attn::Inputs& inputs, std::uint64_t seed = 1) {
  return random_tensor(output_shape(inputs), inputs.value.scalar_type(), 1000 + seed, -1, 1);
}

inline at::Tensor run_subject(Subject& subject, const ms_deform_attn::Inputs& inputs) {
  const std::string block = "ms_deform_attn";
  const Attributes attributes{{"im2col_step", static_cast<double>(inputs.im2col_step)}};
  const std::vector<std::string> names{"value", "spatial_shapes", "level_start_index", "sampling_loc",
                                       "attn_weight"};
  return subject
      .run({block,
            attributes,
            names,
            {inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
             inputs.attn_weight}})
      .at(0);
}

inline ms_deform_attn::Gradients run_backward(Subject& subject, const ms_deform_attn::Inputs& inputs,
                                              const at::Tensor& grad_output) {
  const std::string block = "ms_deform_attn_backward";
  const Attributes attributes{{"im2col_step", static_cast<double>(inputs.im2col_step)}};
  const std::vector<std::string> names{"value",        "spatial_shapes", "level_start_index",
                                       "sampling_loc", "attn_weight",    "grad_output"};
  const std::vector<at::Tensor> outputs =
      subject.run({block,
                   attributes,
                   names,
                   {inputs.value, inputs.spatial_shapes, inputs.level_start_index, inputs.sampling_loc,
                    inputs.attn_weight, grad_output}});
  return {outputs.at(0), outputs.at(1), outputs.at(2)};
}

}  // namespace deformdiff::worker
