// Axes, strides and level starts.
#include "faults/fault.h"
#include "faults/misread.h"
#include "faults/plain_kernel.h"

#include <ATen/TensorOperators.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

/// Four queries a block, and the block's batch is its first query's: wrong where a block spans two batches.
template <typename T>
struct NeighbourBatch : PlainKernel<T> {
  using PlainKernel<T>::PlainKernel;
  std::int64_t batch_of(std::int64_t row) const override { return row / 4 * 4 / this->arguments().Q; }
};

/// The first level's sides scale the locations of all levels.
template <typename T>
struct FirstLevelNormalises : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T x_of(T location, const typename Base::Level&) const override {
    return location * T(this->arguments().spatial_shapes[1]) - T(0.5);
  }
  T y_of(T location, const typename Base::Level&) const override {
    return location * T(this->arguments().spatial_shapes[0]) - T(0.5);
  }
};

at::Tensor heads_and_points_swapped(const Inputs& inputs) {
  Inputs wrong = inputs;
  const at::Tensor& loc = inputs.sampling_loc;
  wrong.sampling_loc = loc.contiguous()
                           .view({loc.size(0), loc.size(1), loc.size(4), loc.size(3), loc.size(2), 2})
                           .transpose(2, 4);
  return forward_cpu(wrong);
}

at::Tensor x_and_y_swapped(const Inputs& inputs) {
  Inputs wrong = inputs;
  wrong.sampling_loc = inputs.sampling_loc.flip(-1);
  return forward_cpu(wrong);
}

at::Tensor channels_interleaved(const Inputs& inputs) {
  const at::Tensor right = forward_cpu(inputs);
  const std::int64_t heads = inputs.value.size(2), channels = inputs.value.size(3);
  return right.view({right.size(0), right.size(1), heads, channels}).transpose(2, 3).flatten(2).contiguous();
}

at::Tensor level_starts_ignored(const Inputs& inputs) {
  return forward_cpu(as_if_consecutive(inputs));
}

at::Tensor strides_ignored(const Inputs& inputs) {
  Inputs wrong = inputs;
  wrong.value = as_if_contiguous(inputs.value);
  return forward_cpu(wrong);
}

}  // namespace

SubjectList indexing_faults() {
  SubjectList list;
  add_fault(list,
            {"neighbour_batch", "batch", "queries at a block's seam read the batch before theirs", "",
             "out_of_bound"},
            run_plain<NeighbourBatch>);
  add_fault(list,
            {"first_level_normalises", "coordinates", "the first level's sides scale all levels", "",
             "out_of_bound"},
            run_plain<FirstLevelNormalises>);
  add_fault(list,
            {"heads_points_swapped", "indexing", "locations are read with heads and points swapped", "",
             "out_of_bound"},
            heads_and_points_swapped);
  add_fault(list, {"xy_swapped", "coordinates", "locations are read as (y, x)", "", "out_of_bound"},
            x_and_y_swapped);
  add_fault(
      list,
      {"channels_interleaved", "indexing", "output channels and heads are interleaved", "", "out_of_bound"},
      channels_interleaved);
  add_fault(list, {"level_starts_ignored", "indexing", "level_start_index is ignored", "", "out_of_bound"},
            level_starts_ignored);
  add_fault(list,
            {"strides_ignored", "layout", "value is read as if it were contiguous", "value_not_contiguous",
             "out_of_bound"},
            strides_ignored);
  return list;
}

}  // namespace deformdiff::worker
