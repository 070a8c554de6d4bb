// The backward: what is added up over channels, and by what it is multiplied.
#include "faults/fault.h"
#include "faults/plain_backward.h"

#include <algorithm>

namespace deformdiff::worker {
namespace {

using namespace ms_deform_attn;

template <typename T>
struct SwappedFactors : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T x_factor(const typename Base::Level& level) const override { return T(level.height); }
  T y_factor(const typename Base::Level& level) const override { return T(level.width); }
};

/// Gradients of pixel coordinates, not of locations.
template <typename T>
struct MissingFactors : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T x_factor(const typename Base::Level&) const override { return 1; }
  T y_factor(const typename Base::Level&) const override { return 1; }
};

template <typename T>
struct MissingWeight : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  T weight_for_location(T) const override { return 1; }
};

template <typename T>
struct MissingGradient : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  T gradient_for_slope(T) const override { return 1; }
};

/// Odd channels have the slope of the cell on the right.
template <typename T>
struct MixedSlopes : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  typename Base::Cell cell_of_slope(const typename Base::Cell& cell, std::int64_t c) const override {
    typename Base::Cell other = cell;
    other.x += c % 2;
    return other;
  }
};

template <typename T>
struct NextHead : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  std::int64_t head_for_weight(const typename Base::Point& point) const override {
    return (point.m + 1) % this->arrays().M;
  }
};

/// As if nothing changed where the slope jumps.
template <typename T>
struct ZeroOnCentres : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  void store_location(const typename Base::Point& point, const typename Base::Cell& cell, T x,
                      T y) const override {
    Base::store_location(point, cell, cell.right == 0 ? T(0) : x, cell.lower == 0 ? T(0) : y);
  }
};

template <typename T>
struct StoredAsYx : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  void store_location(const typename Base::Point& point, const typename Base::Cell& cell, T x,
                      T y) const override {
    Base::store_location(point, cell, y, x);
  }
};

/// Channels in pairs; the last of an odd number is left out.
template <typename T>
struct PairsOfChannels : PlainBackward<T> {
  using PlainBackward<T>::PlainBackward;
  T sum_of(const std::vector<T>& terms) const override {
    T sum = 0;
    for (std::size_t c = 0; c + 1 < terms.size(); c += 2) sum += terms[c] + terms[c + 1];
    return sum;
  }
};

/// A tree from 64 channels on, each half added to the other: where their number is odd, the last is lost.
template <typename T>
struct TreeWithoutTail : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T sum_of(const std::vector<T>& terms) const override {
    if (terms.size() < 64) return Base::sum_of(terms);
    std::vector<T> tree = terms;
    for (std::size_t half = tree.size() / 2; half > 0; half /= 2) {
      for (std::size_t c = 0; c < half; ++c) tree[c] += tree[c + half];
    }
    return tree[0];
  }
};

constexpr std::size_t kBlock = 512;

/// A block of 512 threads, and nobody adds up the next one.
template <typename T>
struct FirstBlockOnly : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T sum_of(const std::vector<T>& terms) const override {
    return Base::sum_of({terms.data(), terms.data() + std::min(kBlock, terms.size())});
  }
};

/// Blocks store their sums where they should add them: the last one's is left.
template <typename T>
struct LastBlockOnly : PlainBackward<T> {
  using Base = PlainBackward<T>;
  using Base::Base;
  T sum_of(const std::vector<T>& terms) const override {
    if (terms.empty()) return 0;
    return Base::sum_of({terms.data() + (terms.size() - 1) / kBlock * kBlock, terms.data() + terms.size()});
  }
};

std::vector<at::Tensor> float_for_double(const Inputs& inputs, const at::Tensor& grad_output) {
  const at::ScalarType dtype = inputs.value.scalar_type();
  Inputs narrow = inputs;
  for (at::Tensor* tensor : {&narrow.value, &narrow.sampling_loc, &narrow.attn_weight})
    *tensor = tensor->to(at::kFloat);
  GradientList found = run_plain_backward<PlainBackward>(narrow, grad_output.to(at::kFloat));
  for (at::Tensor& tensor : found) tensor = tensor.to(dtype);
  return found;
}

}  // namespace

SubjectList gradient_faults() {
  SubjectList list;
  add_gradient_fault(
      list,
      {"gradient_factors_swapped", "gradient",
       "a location's gradient has the height for the width as its factor", "not_square", "out_of_bound"},
      run_plain_backward<SwappedFactors>);
  add_gradient_fault(list,
                     {"gradient_factors_missing", "gradient", "locations get gradients of pixel coordinates",
                      "", "out_of_bound"},
                     run_plain_backward<MissingFactors>);
  add_gradient_fault(
      list,
      {"gradient_without_weight", "gradient", "a location's gradient lacks the weight", "", "out_of_bound"},
      run_plain_backward<MissingWeight>);
  add_gradient_fault(
      list,
      {"gradient_without_output", "gradient", "a location's gradient lacks grad_output", "", "out_of_bound"},
      run_plain_backward<MissingGradient>);
  add_gradient_fault(list,
                     {"gradient_slopes_mixed", "gradient", "odd channels have the slope of the next cell", "",
                      "out_of_bound"},
                     run_plain_backward<MixedSlopes>);
  add_gradient_fault(list,
                     {"gradient_of_next_head", "indexing",
                      "a weight's gradient is of the next head's samples", "", "out_of_bound"},
                     run_plain_backward<NextHead>);
  add_gradient_fault(list,
                     {"gradient_zero_on_centres", "gradient",
                      "a location's gradient is zero on pixels' centres", "", "out_of_bound"},
                     run_plain_backward<ZeroOnCentres>);
  add_gradient_fault(
      list, {"gradient_yx", "indexing", "gradients of locations are stored as (y, x)", "", "out_of_bound"},
      run_plain_backward<StoredAsYx>);
  add_gradient_fault(list,
                     {"gradient_pairs_of_channels", "tails",
                      "the last of an odd number of channels is left out", "channels_odd", "out_of_bound"},
                     run_plain_backward<PairsOfChannels>);
  add_gradient_fault(
      list,
      {"gradient_tree_without_tail", "tails", "a tree over 64 channels and more loses what is left over",
       "channels_above_64", "out_of_bound"},
      run_plain_backward<TreeWithoutTail>);
  add_gradient_fault(list,
                     {"gradient_first_block_only", "tails", "channels beyond 512 are not added up",
                      "channels_above_512", "out_of_bound"},
                     run_plain_backward<FirstBlockOnly>);
  add_gradient_fault(
      list,
      {"gradient_last_block_only", "race", "blocks of 512 channels store their sums over one another",
       "channels_above_512", "out_of_bound"},
      run_plain_backward<LastBlockOnly>);
  add_gradient_fault(
      list,
      {"gradient_float_for_double", "precision", "float64 is computed in float32", "float64", "out_of_bound"},
      float_for_double);
  return list;
}

}  // namespace deformdiff::worker
