#include "check/arrangements.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace deformdiff {
namespace {

/// More axes have too many orders: the last ones then stay together.
constexpr std::size_t kMostAxes = 5;

/// Where axes end, counted in elements from the first axis on: axes taken together have fewer such places.
std::set<std::int64_t> ends_of(const Shape& shape) {
  std::set<std::int64_t> ends{1};
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) ends.insert(product *= extent);
  return ends;
}

/// Without axes of extent 1, which lie anywhere, and with no more axes than have orders to try.
Shape simplified(Shape shape) {
  std::erase(shape, 1);
  while (shape.size() > kMostAxes) {
    const std::int64_t last = shape.back();
    shape.pop_back();
    shape.back() *= last;
  }
  return shape;
}

/// The shape with heads as an axis of their own.
std::vector<Shape> with_heads_apart(const Shape& shape, std::int64_t heads) {
  std::vector<Shape> shapes;
  const auto holds_heads = [&](std::int64_t extent) { return heads > 1 && extent % heads == 0; };
  if (!shape.empty() && holds_heads(shape.front())) {
    Shape apart = shape;
    apart.front() = heads;
    apart.insert(apart.begin(), shape.front() / heads);
    shapes.push_back(simplified(std::move(apart)));
  }
  if (!shape.empty() && holds_heads(shape.back())) {
    Shape apart = shape;
    apart.back() = heads;
    apart.push_back(shape.back() / heads);
    shapes.push_back(simplified(std::move(apart)));
  }
  return shapes;
}

using Runs = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Extents and strides of axes that lie in `order`, neighbours that are one run of elements taken together:
/// the same for views that give the same elements.
Runs runs_of(const Shape& axes, const Shape& order) {
  Shape strides(axes.size());
  std::int64_t stride = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<std::size_t>(*axis)] = stride;
    stride *= axes[static_cast<std::size_t>(*axis)];
  }
  Runs runs;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!runs.empty() && runs.back().second == strides[i] * axes[i]) {
      runs.back() = {runs.back().first * axes[i], strides[i]};
    } else {
      runs.emplace_back(axes[i], strides[i]);
    }
  }
  return runs;
}

/// Where the runs end, as they lie.
std::set<std::int64_t> ends_of(const Runs& runs, std::int64_t elements) {
  std::set<std::int64_t> ends{1, elements};
  for (const auto& [extent, stride] : runs) ends.insert(elements / (extent * stride));
  return ends;
}

class Arranger {
 public:
  Arranger(const Shape& from, const Shape& to) : ends_(ends_of(from)), to_(to) {}

  /// Every order of the axes that joins or splits axes of `from`; where `apart`, only one that `from` has.
  void try_orders(const Shape& axes, bool apart) {
    Shape order(axes.size());
    std::iota(order.begin(), order.end(), 0);
    do {
      Shape lying, back(order.size());
      for (std::size_t i = 0; i < order.size(); ++i) {
        lying.push_back(axes[static_cast<std::size_t>(order[i])]);
        back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
      }
      const Runs runs = runs_of(axes, order);
      const bool fits = apart ? std::ranges::includes(ends_, ends_of(runs, element_count(to_)))
                              : joins_or_splits(ends_of(lying));
      if (fits && seen_.insert(runs).second) {
        views_.push_back({reshape(lying), permute(back), reshape(to_)});
      }
    } while (std::ranges::next_permutation(order).found);
  }

  std::vector<View> take() { return std::move(views_); }

 private:
  bool joins_or_splits(const std::set<std::int64_t>& ends) const {
    return std::ranges::includes(ends_, ends) || std::ranges::includes(ends, ends_);
  }

  std::set<std::int64_t> ends_;
  const Shape& to_;
  std::set<Runs> seen_;
  std::vector<View> views_;
};

}  // namespace

std::vector<View> arrangements(const Shape& from, const Shape& to, std::int64_t heads) {
  if (element_count(from) != element_count(to)) return {};
  if (element_count(to) == 0) return {{reshape(to)}};
  Arranger arranger(from, to);
  arranger.try_orders(simplified(to), false);
  for (const Shape& axes : with_heads_apart(to, heads)) arranger.try_orders(axes, true);
  return arranger.take();
}

const std::vector<View>& ViewCache::views(const Shape& from, const Shape& to, std::int64_t heads) {
  const auto [known, is_new] = views_.try_emplace({from, to, heads});
  if (is_new) known->second = arrangements(from, to, heads);
  return known->second;
}

}  // namespace deformdiff
