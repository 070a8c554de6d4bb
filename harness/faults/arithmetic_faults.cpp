// Precision, special numbers and weights.
#include "faults/fault.h"
#include "faults/plain_kernel.h"

#include <bit>

#include <ATen/TensorOperators.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/softmax.h>
#include <c10/util/Half.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

template <typename T>
struct HalfAccumulation : PlainKernel<T> {
  using PlainKernel<T>::PlainKernel;
  T add(T sum, T term) const override {
    return static_cast<float>(c10::Half(static_cast<float>(sum + term)));
  }
};

/// Only corners are guarded: NaN has no cell, and its weights make the whole sum NaN.
template <typename T>
struct NanLocationSpreads : PlainKernel<T> {
  using PlainKernel<T>::PlainKernel;
  bool in_range(T coordinate, std::int64_t side) const override {
    return !(coordinate <= T(-1)) && !(coordinate >= T(side));
  }
  T floor_of(T coordinate) const override { return coordinate == coordinate ? std::floor(coordinate) : T(0); }
};

at::Tensor float_for_double(const Inputs& inputs) {
  const Inputs narrow{inputs.value.to(at::kFloat),       inputs.spatial_shapes,
                      inputs.level_start_index,          inputs.sampling_loc.to(at::kFloat),
                      inputs.attn_weight.to(at::kFloat), inputs.im2col_step};
  return forward_cpu(narrow).to(inputs.value.scalar_type());
}

at::Tensor half_locations(const Inputs& inputs) {
  Inputs rounded = inputs;
  rounded.sampling_loc = inputs.sampling_loc.to(at::kHalf).to(inputs.sampling_loc.scalar_type());
  return forward_cpu(rounded);
}

at::Tensor rounded_grid(const Inputs& inputs) {
  Inputs rounded = inputs;
  rounded.sampling_loc = ((2 * inputs.sampling_loc - 1) + 1) / 2;
  return forward_cpu(rounded);
}

/// As tensor cores read float32: 10 bits of significand are kept.
at::Tensor tf32_weights(const Inputs& inputs) {
  if (inputs.value.scalar_type() != at::kFloat) return forward_cpu(inputs);
  Inputs rounded = inputs;
  rounded.attn_weight = inputs.attn_weight.clone().contiguous();
  auto* weights = rounded.attn_weight.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < rounded.attn_weight.numel(); ++i) {
    weights[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(weights[i]) & 0xffffe000u);
  }
  return forward_cpu(rounded);
}

at::Tensor nan_to_num(const Inputs& inputs) {
  return at::nan_to_num(forward_cpu(inputs));
}

at::Tensor softmax_again(const Inputs& inputs) {
  Inputs wrong = inputs;
  if (inputs.attn_weight.numel() > 0) {
    wrong.attn_weight = at::softmax(inputs.attn_weight.flatten(3), -1).view(inputs.attn_weight.sizes());
  }
  return forward_cpu(wrong);
}

at::Tensor negative_weights_dropped(const Inputs& inputs) {
  Inputs wrong = inputs;
  wrong.attn_weight = inputs.attn_weight.clamp_min(0);
  return forward_cpu(wrong);
}

}  // namespace

SubjectList arithmetic_faults() {
  SubjectList list;
  add_fault(list, {"half_accumulation", "precision", "sums in float16", "", "out_of_bound"},
            run_plain<HalfAccumulation>);
  add_fault(list,
            {"float_for_double", "precision", "float64 is computed in float32", "float64", "out_of_bound"},
            float_for_double);
  add_fault(list, {"half_locations", "coordinates", "locations are rounded to float16", "", "out_of_bound"},
            half_locations);
  add_sixteen_bit_fault(
      list,
      {"rounded_grid", "coordinates", "locations pass through a grid of the 16-bit type", "", "out_of_bound"},
      rounded_grid);
  add_fault(list,
            {"tf32_weights", "precision", "weights lose 13 bits, as in TF32", "float32", "out_of_bound"},
            tf32_weights);
  add_fault(list,
            {"nan_location_spreads", "border", "a NaN location makes the output NaN", "nan_location",
             "nonfinite_mismatch"},
            run_plain<NanLocationSpreads>);
  add_fault(
      list,
      {"nan_to_num", "precision", "NaN and infinities are replaced in the output", "", "nonfinite_mismatch"},
      nan_to_num);
  add_fault(list, {"softmax_again", "attention", "weights go through a second softmax", "", "out_of_bound"},
            softmax_again);
  add_fault(list,
            {"negative_weights_dropped", "precision", "negative weights count as zero", "weights_negative",
             "out_of_bound"},
            negative_weights_dropped);
  return list;
}

}  // namespace deformdiff::worker
