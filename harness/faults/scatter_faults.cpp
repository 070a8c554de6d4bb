// The backward: where gradients are added, and what is left out.
#include "faults/fault.h"
#include "faults/misread.h"
#include "faults/plain_backward.h"

#include <algorithm>

#include <ATen/ops/empty_like.h>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

/// Without atomics: of what is added to a pixel at once, the last is left.
template <typename T>
struct LostUpdates : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  void add(T& sum, T term) const override { sum = term; }
};

/// What lies outside is added to the border, and read from there.
template <typename T>
struct BorderScattered : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  bool is_inside(const typename Base::Level&, const typename Base::Cell&, std::int64_t,
                 std::int64_t) const override {
    return true;
  }
  std::int64_t row_of(const typename Base::Level& level, std::int64_t y, std::int64_t x) const override {
    return Base::row_of(level, std::clamp<std::int64_t>(y, 0, level.height - 1),
                        std::clamp<std::int64_t>(x, 0, level.width - 1));
  }
};

/// A point with a corner outside is skipped.
template <typename T>
struct BorderSkipped : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  bool is_inside(const typename Base::Level& level, const typename Base::Cell& cell, std::int64_t y,
                 std::int64_t x) const override {
    return Base::is_inside(level, cell, y, x) && Base::is_inside(level, cell, cell.y, cell.x) &&
           Base::is_inside(level, cell, cell.y + 1, cell.x + 1);
  }
};

/// mmcv's kernel: floorf() for double, and corners that are guarded on the side where a right floor() may
/// leave the map.
template <typename T>
struct FloorfInDouble : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T floor_of(T coordinate) const override { return std::floor(static_cast<float>(coordinate)); }
  bool is_inside(const typename Base::Level& level, const typename Base::Cell& cell, std::int64_t y,
                 std::int64_t x) const override {
    return (y == cell.y ? y >= 0 : y < level.height) && (x == cell.x ? x >= 0 : x < level.width);
  }
};

/// Each step's batches are those of the first one.
template <typename T>
struct StepsOnOneAnother : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  std::int64_t batch_of(const typename Base::Point& point) const override {
    return point.n % this->arrays().im2col_step;
  }
};

/// At most 4096 blocks, one a group, and no loop over the rest.
template <typename T>
struct GridCapped : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  bool is_done(std::int64_t group) const override { return group < 4096; }
};

template <typename T>
struct WithoutLastQuery : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  bool is_done(std::int64_t group) const override {
    const auto& arrays = this->arrays();
    return group / arrays.M % arrays.Q + 1 < arrays.Q;
  }
};

/// 1 where anything is added.
template <typename T>
struct Reached : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  void add(T& sum, T) const override { sum = 1; }
};

/// Nobody clears the gradient of value: what no point reaches stays as the memory was.
std::vector<at::Tensor> value_not_cleared(const Inputs& inputs, const at::Tensor& grad_output) {
  GradientList found = run_plain_backward<PlainBackward>(inputs, grad_output);
  const at::Tensor reached = run_plain_backward<Reached>(inputs, grad_output)[0];
  const at::Tensor dirty = at::empty_like(found[0]);
  with_element_type(dirty.scalar_type(), [&]<typename T>(T) {
    for (std::int64_t i = 0; i < dirty.numel(); ++i) {
      if (reached.const_data_ptr<T>()[i] == 1)
        dirty.mutable_data_ptr<T>()[i] = found[0].const_data_ptr<T>()[i];
    }
  });
  found[0] = dirty;
  return found;
}

std::vector<at::Tensor> level_starts_ignored(const Inputs& inputs, const at::Tensor& grad_output) {
  return run_plain_backward<PlainBackward>(as_if_consecutive(inputs), grad_output);
}

std::vector<at::Tensor> strides_ignored(const Inputs& inputs, const at::Tensor& grad_output) {
  return run_plain_backward<PlainBackward>(inputs, as_if_contiguous(grad_output));
}

}  // namespace

SubjectList scatter_faults() {
  SubjectList list;
  add_gradient_fault(
      list,
      {"scatter_lost_updates", "race", "a pixel keeps the last of what is added to it", "", "out_of_bound"},
      run_plain_backward<LostUpdates>);
  add_gradient_fault(
      list, {"scatter_to_border", "border", "what lies outside is added to the border", "", "out_of_bound"},
      run_plain_backward<BorderScattered>);
  add_gradient_fault(
      list, {"scatter_inside_only", "border", "points with a corner outside add nothing", "", "out_of_bound"},
      run_plain_backward<BorderSkipped>);
  add_gradient_fault(list,
                     {"scatter_floorf_in_double", "border",
                      "floorf() for float64, corners guarded on one side", "float64", "out_of_bound"},
                     run_plain_backward<FloorfInDouble>);
  add_gradient_fault(
      list,
      {"scatter_steps_on_one_another", "batch", "batches beyond im2col_step are those of the first",
       "batch_above_step", "out_of_bound"},
      run_plain_backward<StepsOnOneAnother>);
  add_gradient_fault(
      list,
      {"scatter_grid_capped", "tails", "groups beyond 4096 get nothing", "groups_above_4096", "out_of_bound"},
      run_plain_backward<GridCapped>);
  add_gradient_fault(
      list, {"scatter_last_query_dropped", "tails", "the last query adds nothing", "", "out_of_bound"},
      run_plain_backward<WithoutLastQuery>);
  add_gradient_fault(list,
                     {"scatter_not_cleared", "tails", "rows of value that no point reaches are never written",
                      "row_of_no_point", "unwritten_output"},
                     value_not_cleared);
  add_gradient_fault(
      list, {"scatter_level_starts_ignored", "indexing", "level_start_index is ignored", "", "out_of_bound"},
      level_starts_ignored);
  add_gradient_fault(list,
                     {"scatter_strides_ignored", "layout", "grad_output is read as if it were contiguous",
                      "grad_not_contiguous", "out_of_bound"},
                     strides_ignored);
  return list;
}

}  // namespace deformdiff::worker
