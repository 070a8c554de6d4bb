#include "generators/ms_deform_attn/backward_triggers.h"

#include "blocks/ms_deform_attn.h"
#include "core/dtype_dispatch.h"
#include "generators/ms_deform_attn/backward_trigger_classes.h"
#include "generators/ms_deform_attn/backward_turns.h"
#include "generators/ms_deform_attn/triggers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace deformdiff::ms_deform_attn {
namespace {

using BackwardHits = Hits<kBackwardTriggerClasses>;

void look_at_channels(std::int64_t channels, BackwardHits& hits) {
  if (channels == 0) return;
  const Reduction reduction = reduction_of(channels);
  hits.mark("channels_serial_block_size", reduction == Reduction::kSerialOfBlockSize);
  hits.mark("channels_tree_block_size", reduction == Reduction::kTreeOfBlockSize);
  hits.mark("channels_serial", reduction == Reduction::kSerial);
  hits.mark("channels_tree", reduction == Reduction::kTree);
  hits.mark("channels_many_blocks", reduction == Reduction::kManyBlocks);
  hits.mark("channels_global", reduction == Reduction::kGlobal);
}

void look_at_layout(const Tensor& gradient, BackwardHits& hits) {
  hits.mark("grad_not_contiguous", !gradient.is_contiguous());
  for (std::size_t a = 0; a < gradient.shape().size(); ++a)
    hits.mark("grad_expanded", gradient.strides()[a] == 0 && gradient.dim(a) > 1);
  hits.mark("grad_one_element",
            gradient.elements() > 1 && gradient.storage().size() == size_of(gradient.dtype()));
}

template <typename T>
void look_at_elements(const Tensor& gradient, BackwardHits& hits) {
  if (gradient.elements() == 0) return;
  const Tensor dense = gradient.contiguous();
  const auto elements = dense.values<T>();
  T largest = 0, smallest = std::numeric_limits<T>::infinity();
  std::size_t zeros = 0;
  bool same = true;
  for (const T x : elements) {
    hits.mark("nan_grad", std::isnan(x));
    hits.mark("inf_grad", std::isinf(x));
    zeros += x == 0 ? 1 : 0;
    same = same && x == elements[0];
    if (x == 0 || !std::isfinite(x)) continue;
    largest = std::max(largest, std::abs(x));
    smallest = std::min(smallest, std::abs(x));
  }
  hits.mark("grad_zero", zeros > 0);
  hits.mark("grad_all_zero", zeros == elements.size());
  hits.mark("grad_one_hot", elements.size() > 2 && zeros + 1 == elements.size());
  hits.mark("grad_constant", elements.size() > 1 && same && zeros == 0);
  hits.mark("grad_wide", largest > smallest * T(0x1p20));
  hits.mark("grad_beyond_float16", largest > 65504);
}

/// The pixels along one side that a location reads: none, one or two.
struct Reach {
  std::int64_t first = 0, last = -1;
};

template <typename T>
Reach reach_of(T location, std::int64_t side) {
  const auto n = static_cast<double>(side);
  const double pixel = static_cast<double>(location) * n - 0.5;
  if (!(pixel > -1 && pixel < n)) return {};
  const double low = std::floor(pixel);
  const std::int64_t first = static_cast<std::int64_t>(low);
  const std::int64_t last = pixel > low ? first + 1 : first;
  return {std::max<std::int64_t>(first, 0), std::min(last, side - 1)};
}

/// How many points of one batch and head reach each row of value.
template <typename T>
class PointCounts {
 public:
  explicit PointCounts(const Problem& problem)
      : p_(problem), locations_(problem.sampling_loc.contiguous()), counts_(rows()) {}

  void look(std::int64_t n, std::int64_t m, BackwardHits& hits) {
    std::ranges::fill(counts_, 0);
    for (std::int64_t q = 0; q < p_.dims.Q; ++q) count((n * p_.dims.Q + q) * p_.dims.M + m);
    for (const std::int64_t points : counts_) {
      hits.mark("pixel_of_1024_points", points > 1024);
      hits.mark("row_of_no_point", points == 0);
    }
  }

 private:
  std::size_t rows() const { return static_cast<std::size_t>(p_.dims.S); }

  void count(std::int64_t group) {
    const auto xy = locations_.template values<T>();
    auto at = static_cast<std::size_t>(2 * group * p_.dims.L * p_.dims.P);
    for (const Level& level : p_.levels) {
      for (std::int64_t k = 0; k < p_.dims.P; ++k, at += 2) {
        const Reach x = reach_of(xy[at], level.width), y = reach_of(xy[at + 1], level.height);
        for (std::int64_t row = y.first; row <= y.last; ++row) {
          for (std::int64_t column = x.first; column <= x.last; ++column)
            ++counts_[static_cast<std::size_t>(level.start + row * level.width + column)];
        }
      }
    }
  }

  const Problem& p_;
  Tensor locations_;
  std::vector<std::int64_t> counts_;
};

template <typename T>
void look_at_pixels(const Problem& problem, BackwardHits& hits) {
  constexpr std::int64_t kMostPoints = 1 << 17;
  const Dims& d = problem.dims;
  const std::int64_t of_a_head = std::max<std::int64_t>(1, d.Q * d.L * d.P);
  PointCounts<T> counts(problem);
  std::int64_t points = 0;
  for (std::int64_t n = 0; n < d.N; ++n) {
    for (std::int64_t m = 0; m < d.M && points < kMostPoints; ++m, points += of_a_head)
      counts.look(n, m, hits);
  }
}

template <typename T>
void look_at_ends(const Problem& problem, BackwardHits& hits) {
  constexpr std::int64_t kMostPoints = 1 << 14;
  const Tensor dense = problem.sampling_loc.contiguous();
  const auto xy = dense.values<T>();
  const std::int64_t points = dense.elements() / 2;
  for (std::int64_t i = 0; i < points; i += 1 + points / kMostPoints) {
    const Level& level = problem.levels[static_cast<std::size_t>(i / problem.dims.P % problem.dims.L)];
    const auto is_end = [](T location, std::int64_t side) {
      const auto n = static_cast<double>(side);
      return location == static_cast<T>(-0.5 / n) || location == static_cast<T>((n + 0.5) / n);
    };
    const auto at = static_cast<std::size_t>(2 * i);
    hits.mark("end_of_support", is_end(xy[at], level.width) || is_end(xy[at + 1], level.height));
  }
}

}  // namespace

std::vector<TriggerClass> backward_trigger_classes() {
  std::vector<TriggerClass> classes = trigger_classes();
  for (TriggerClass& own : classes_of(kBackwardTriggerClasses)) classes.push_back(std::move(own));
  return classes;
}

std::vector<std::string> backward_triggers_hit(const Case& c) {
  const auto [problem, gradient] = parse_backward(c);
  BackwardHits hits;
  look_at_channels(problem.dims.D, hits);
  look_at_layout(gradient, hits);
  with_floating(problem.dtype, [&](auto zero) {
    using T = decltype(zero);
    look_at_elements<T>(gradient, hits);
    look_at_pixels<T>(problem, hits);
    look_at_ends<T>(problem, hits);
  });
  std::vector<std::string> names = triggers_hit(c);
  for (std::string& name : hits.names()) names.push_back(std::move(name));
  return names;
}

}  // namespace deformdiff::ms_deform_attn
