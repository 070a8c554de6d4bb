// What lies beyond some extent is not computed.
#include "faults/fault.h"
#include "faults/plain_kernel.h"
#include "subjects/ms_deform_attn/forward.h"

#include <algorithm>
#include <array>

#include <ATen/ops/empty.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

/// The right result with zeros from `first` on along `axis`.
at::Tensor zeroed_from(at::Tensor output, std::int64_t axis, std::int64_t first) {
  const std::int64_t size = output.size(axis);
  if (first < size) output.narrow(axis, first, size - first).zero_();
  return output;
}

at::Tensor batch_remainder_dropped(const Inputs& inputs) {
  const std::int64_t batch = inputs.value.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, std::min(batch, inputs.im2col_step));
  return zeroed_from(forward_cpu(inputs), 0, batch / step * step);
}

/// One block for each of N*Q*M groups of channels, at most 4096 blocks, no loop over the rest.
at::Tensor grid_capped(const Inputs& inputs) {
  constexpr std::int64_t kMaxBlocks = 4096;
  const at::Tensor output = forward_cpu(inputs);
  zeroed_from(output.view({-1}), 0, kMaxBlocks * inputs.value.size(3));
  return output;
}

/// Products are counted in 32 bits: the groups with the count beyond 2^31 stay zero.
at::Tensor products_in_32_bits(const Inputs& inputs) {
  constexpr std::int64_t kMostProducts = std::int64_t{1} << 31;
  const at::Tensor output = forward_cpu(inputs);
  const std::int64_t points = inputs.attn_weight.size(3) * inputs.attn_weight.size(4);
  const std::int64_t channels = inputs.value.size(3);
  if (output.numel() * points > kMostProducts)
    zeroed_from(output.view({-1}), 0, kMostProducts / (channels * points) * channels);
  return output;
}

constexpr std::int64_t kIn16Bits = std::int64_t{1} << 16;

/// The loop runs to the number of queries in 16 bits.
at::Tensor queries_in_16_bits(const Inputs& inputs) {
  const at::Tensor output = forward_cpu(inputs);
  return zeroed_from(output, 1, output.size(1) % kIn16Bits);
}

/// A block for each of the batch along the axis of a grid that has 65535 at most: above that the launch
/// fails, and nobody looks at its status.
at::Tensor batch_beyond_grid(const Inputs& inputs) {
  const at::Tensor output = forward_cpu(inputs);
  return output.size(0) >= kIn16Bits ? zeroed_from(output, 0, 0) : output;
}

/// A thread for each of the batch, of which a block has 1024 at most.
at::Tensor batch_beyond_block(const Inputs& inputs) {
  return zeroed_from(forward_cpu(inputs), 0, 1024);
}

/// Pixels have indices of 16 bits: beyond 32767 they are negative, and outside.
template <typename T>
struct SidesIn16Bits : PlainKernel<T> {
  using Base = PlainKernel<T>;
  using Base::Base;
  T pixel(const typename Base::Plane& plane, const typename Base::Level& level, std::int64_t y,
          std::int64_t x, int dy, int dx) const override {
    return Base::pixel(plane, level, static_cast<std::int16_t>(y + dy), static_cast<std::int16_t>(x + dx), 0,
                       0);
  }
};

at::Tensor last_query_dropped(const Inputs& inputs) {
  const at::Tensor output = forward_cpu(inputs);
  return zeroed_from(output, 1, std::max<std::int64_t>(0, output.size(1) - 1));
}

/// Four channels at a time; what is left over stays zero.
at::Tensor tail_channels_zero(const Inputs& inputs) {
  const at::Tensor output = forward_cpu(inputs);
  const std::int64_t heads = inputs.value.size(2), channels = inputs.value.size(3);
  zeroed_from(output.view({output.size(0), output.size(1), heads, channels}), 3, channels / 4 * 4);
  return output;
}

/// The same, but what is left over is never written.
at::Tensor tail_channels_unwritten(const Inputs& inputs) {
  const at::Tensor right = forward_cpu(inputs);
  const at::Tensor output = at::empty(right.sizes(), right.options());
  const std::int64_t heads = inputs.value.size(2), channels = inputs.value.size(3), kept = channels / 4 * 4;
  const std::array<std::int64_t, 4> shape{right.size(0), right.size(1), heads, channels};
  output.view(shape).narrow(3, 0, kept).copy_(right.view(shape).narrow(3, 0, kept));
  return output;
}

/// A thread a channel: above 1024 the launch fails, and nobody looks at its status.
at::Tensor launch_error_ignored(const Inputs& inputs) {
  const at::Tensor output = forward_cpu(inputs);
  return inputs.value.size(3) > 1024 ? zeroed_from(output, 0, 0) : output;
}

at::Tensor four_levels(const Inputs& inputs) {
  const std::int64_t kept = std::min<std::int64_t>(4, inputs.spatial_shapes.size(0));
  return forward_cpu({inputs.value, inputs.spatial_shapes.narrow(0, 0, kept),
                      inputs.level_start_index.narrow(0, 0, kept), inputs.sampling_loc.narrow(3, 0, kept),
                      inputs.attn_weight.narrow(3, 0, kept), inputs.im2col_step});
}

at::Tensor eight_points(const Inputs& inputs) {
  const std::int64_t kept = std::min<std::int64_t>(8, inputs.sampling_loc.size(4));
  Inputs wrong = inputs;
  wrong.sampling_loc = inputs.sampling_loc.narrow(4, 0, kept);
  wrong.attn_weight = inputs.attn_weight.narrow(4, 0, kept);
  return forward_cpu(wrong);
}

}  // namespace

SubjectList limit_faults() {
  SubjectList list;
  add_fault(list,
            {"batch_remainder_dropped", "batch", "batches beyond a multiple of im2col_step stay zero",
             "batch_not_multiple_of_step", "out_of_bound"},
            batch_remainder_dropped);
  add_fault(
      list,
      {"grid_capped", "tails", "groups beyond 4096 blocks stay zero", "groups_above_4096", "out_of_bound"},
      grid_capped);
  add_fault(list,
            {"products_in_32_bits", "indexing", "groups beyond 2^31 products stay zero",
             "products_above_2_31", "out_of_bound"},
            products_in_32_bits);
  add_fault(list,
            {"queries_in_16_bits", "indexing", "queries are counted in 16 bits", "queries_above_65535",
             "out_of_bound"},
            queries_in_16_bits);
  add_fault(list,
            {"batch_beyond_grid", "batch", "zeros above a batch of 65535, where a launch fails unseen",
             "batch_above_65535", "out_of_bound"},
            batch_beyond_grid);
  add_fault(
      list,
      {"batch_beyond_block", "batch", "batches from 1024 on stay zero", "batch_above_1024", "out_of_bound"},
      batch_beyond_block);
  add_fault(list,
            {"sides_in_16_bits", "indexing", "pixels beyond the first 32768 along a side read as zero",
             "side_above_32767", "out_of_bound"},
            run_plain<SidesIn16Bits>);
  add_fault(list, {"last_query_dropped", "tails", "the last query stays zero", "", "out_of_bound"},
            last_query_dropped);
  add_fault(list,
            {"tail_channels_zero", "tails", "channels beyond a multiple of 4 stay zero",
             "channels_not_multiple_of_4", "out_of_bound"},
            tail_channels_zero);
  add_fault(list,
            {"tail_channels_unwritten", "tails", "channels beyond a multiple of 4 are never written",
             "channels_not_multiple_of_4", "unwritten_output"},
            tail_channels_unwritten);
  add_fault(list,
            {"launch_error_ignored", "tails", "zeros above 1024 channels, where a launch fails unseen",
             "channels_above_1024", "out_of_bound"},
            launch_error_ignored);
  add_fault(
      list,
      {"four_levels", "tails", "levels beyond the fourth are ignored", "levels_above_4", "out_of_bound"},
      four_levels);
  add_fault(
      list,
      {"eight_points", "tails", "points beyond the eighth are ignored", "points_above_8", "out_of_bound"},
      eight_points);
  return list;
}

}  // namespace deformdiff::worker
