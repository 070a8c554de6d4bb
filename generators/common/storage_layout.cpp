#include "generators/common/storage_layout.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace deformdiff {
namespace {

/// How the axes of a view lie in a larger tensor.
struct Placement {
  explicit Placement(const Shape& shape)
      : order(shape.size()), before(shape.size(), 0), after(shape.size(), 0), step(shape.size(), 1) {
    std::iota(order.begin(), order.end(), std::size_t{0});
  }
  std::vector<std::size_t> order;  ///< axes, outermost in memory first
  Shape before, after;             ///< indices of the larger tensor beside the view
  Shape step;                      ///< 0: expanded
  std::optional<std::size_t> sliding;
  std::int64_t head = 0;  ///< elements in front of the larger tensor
};

/// Axes of more than one index: the others' strides do not matter.
std::vector<std::size_t> long_axes(const Shape& shape) {
  std::vector<std::size_t> axes;
  for (std::size_t a = 0; a < shape.size(); ++a) {
    if (shape[a] > 1) axes.push_back(a);
  }
  return axes;
}

/// `order` with `axes`, which are in that order, in any other one; the reverse where chance leaves them.
std::vector<std::size_t> another_order(std::vector<std::size_t> order, const std::vector<std::size_t>& axes,
                                       const CounterRandom& random) {
  std::vector<std::size_t> moved = axes;
  for (std::size_t a = moved.size(); a > 1; --a) {
    std::swap(moved[a - 1], moved[static_cast<std::size_t>(random.below(10 + a, a))]);
  }
  if (moved == axes) std::ranges::reverse(moved);
  for (std::size_t k = 0; k < axes.size(); ++k) order[axes[k]] = moved[k];
  return order;
}

Placement draw_placement(const Shape& shape, StorageLayout layout, const CounterRandom& random) {
  Placement placement(shape);
  std::vector<std::size_t> axes = long_axes(shape);
  if (axes.empty()) axes = placement.order;
  const auto count = static_cast<std::uint64_t>(axes.size());
  const std::size_t axis = axes[static_cast<std::size_t>(random.below(0, count))];
  switch (layout) {
    case StorageLayout::kContiguous:
      break;
    case StorageLayout::kOffset:
      placement.head = 1 + static_cast<std::int64_t>(random.below(1, 3));
      break;
    case StorageLayout::kSliced:
      for (std::uint64_t k = 0; k < 2; ++k) {
        const std::size_t sliced = k == 0 ? axis : axes[static_cast<std::size_t>(random.below(2, count))];
        placement.before[sliced] = static_cast<std::int64_t>(random.below(3 + k, 3));
        placement.after[sliced] = static_cast<std::int64_t>(random.below(5 + k, 2)) + (k == 0 ? 1 : 0);
      }
      break;
    case StorageLayout::kTransposed:
      placement.order = another_order(placement.order, axes, random);
      break;
    case StorageLayout::kStepped:
      placement.step[axis] = 2;
      break;
    case StorageLayout::kExpanded:
      placement.step[axis] = 0;
      break;
    case StorageLayout::kOverlapping:
      if (count > 1) placement.sliding = axes[static_cast<std::size_t>(random.below(2, count - 1))];
      break;
  }
  return placement;
}

/// Two axes of one stride: elements of the outer one's later indices are where those of its first ones are,
/// but for the last of the inner axis.
struct Window {
  std::size_t outer, inner;

  bool repeats(const Shape& index, const Shape& shape) const {
    return index[outer] > 0 && index[inner] + 1 < shape[inner];
  }
};

std::optional<Window> window_of(const Shape& shape, const Shape& strides) {
  const std::vector<std::size_t> axes = long_axes(shape);
  for (auto outer = axes.begin(); outer != axes.end(); ++outer) {
    if (strides[*outer] == 0) continue;
    for (auto inner = outer + 1; inner != axes.end(); ++inner) {
      if (strides[*outer] == strides[*inner]) return Window{*outer, *inner};
    }
  }
  return std::nullopt;
}

/// Calls visit(row-major index, storage index) for every element that is not a repetition of one before it.
template <typename Visit>
void for_each_owned(const Shape& shape, const Shape& strides, std::int64_t offset, Visit visit) {
  Shape index(shape.size(), 0);
  std::int64_t at = offset;
  std::int64_t repetitions = 0;  // axes of stride 0 whose index is not 0
  const std::optional<Window> window = window_of(shape, strides);
  const std::int64_t elements = element_count(shape);
  for (std::int64_t i = 0; i < elements; ++i) {
    if (repetitions == 0 && !(window && window->repeats(index, shape))) visit(i, at);
    for (std::size_t a = shape.size(); a-- > 0;) {
      at += strides[a];
      if (strides[a] == 0 && shape[a] > 1) repetitions += index[a] == 0 ? 1 : 0;
      if (++index[a] < shape[a]) break;
      at -= strides[a] * shape[a];
      if (strides[a] == 0 && shape[a] > 1) --repetitions;
      index[a] = 0;
    }
  }
}

/// One element for what is not of the view.
Tensor junk(DType dtype, const CounterRandom& random) {
  if (dtype == DType::kInt64) return int64_tensor({}, {1});
  if (dtype == DType::kBool) return Tensor(dtype, {}, {std::byte{1}});
  const double loud = random.below(30, 2) == 0 ? std::numeric_limits<double>::quiet_NaN() : 1e30;
  return convert(Tensor::of<double>(DType::kFloat64, {}, std::vector<double>{loud}), dtype);
}

template <typename Word>
void copy_owned(const Tensor& dense, const Shape& strides, std::int64_t offset, const std::byte* hidden,
                Tensor::Bytes& storage) {
  Word loud;
  std::memcpy(&loud, hidden, sizeof(Word));
  Word* const to = reinterpret_cast<Word*>(storage.data());
  std::fill_n(to, storage.size() / sizeof(Word), loud);
  const Word* const from = dense.storage_as<Word>();
  for_each_owned(dense.shape(), strides, offset,
                 [&](std::int64_t index, std::int64_t at) { to[at] = from[index]; });
}

/// The elements of `dense` with these strides, in a storage of `size` elements; those that are not of the
/// view are `hidden`.
Tensor laid_out(const Tensor& dense, Shape strides, std::int64_t offset, std::int64_t size,
                const std::byte* hidden) {
  const std::size_t width = size_of(dense.dtype());
  auto storage = std::make_shared<Tensor::Bytes>(static_cast<std::size_t>(size) * width);
  const auto copy = width == 1   ? copy_owned<std::uint8_t>
                    : width == 2 ? copy_owned<std::uint16_t>
                    : width == 4 ? copy_owned<std::uint32_t>
                                 : copy_owned<std::uint64_t>;
  copy(dense, strides, offset, hidden, *storage);
  return Tensor(dense.dtype(), dense.shape(), std::move(strides), offset, std::move(storage));
}

/// Of the sliding axis and the next one inside it of several indices, where a tensor of this shape has both.
std::optional<Window> window_of(const StorageTraits& traits, const Shape& shape) {
  if (!traits.sliding || shape[*traits.sliding] <= 1) return std::nullopt;
  for (auto inner = std::ranges::find(traits.order, *traits.sliding) + 1; inner != traits.order.end();
       ++inner) {
    if (shape[*inner] > 1 && !traits.expanded[*inner]) return Window{*traits.sliding, *inner};
  }
  return std::nullopt;
}

}  // namespace

bool can_have(StorageLayout layout, DType dtype, const Shape& shape) {
  if (element_count(shape) == 0 || shape.empty()) return layout == StorageLayout::kContiguous;
  switch (layout) {
    case StorageLayout::kTransposed:
      return long_axes(shape).size() > 1;
    case StorageLayout::kOverlapping:
      return is_floating(dtype) && long_axes(shape).size() > 1;
    case StorageLayout::kStepped:
      return !long_axes(shape).empty();
    case StorageLayout::kExpanded:
      return is_floating(dtype) && !long_axes(shape).empty();
    default:
      return true;
  }
}

std::vector<StorageLayout> layouts_of(DType dtype, std::size_t axes) {
  std::vector<StorageLayout> layouts;
  for (const StorageLayout layout :
       {StorageLayout::kOffset, StorageLayout::kSliced, StorageLayout::kTransposed, StorageLayout::kStepped,
        StorageLayout::kExpanded, StorageLayout::kOverlapping}) {
    if (can_have(layout, dtype, Shape(axes, 2))) layouts.push_back(layout);
  }
  return layouts;
}

Tensor with_storage_layout(const Tensor& contiguous, StorageLayout layout, const CounterRandom& random) {
  if (layout == StorageLayout::kContiguous || contiguous.elements() == 0) return contiguous;
  const Shape& shape = contiguous.shape();
  const Placement placement = draw_placement(shape, layout, random);
  Shape strides(shape.size(), 0);
  std::int64_t size = 1, inner = 1;
  std::int64_t offset = placement.head;
  for (std::size_t k = shape.size(); k-- > 0;) {
    const std::size_t a = placement.order[k];
    if (placement.step[a] == 0) continue;
    if (placement.sliding == a) {
      strides[a] = inner;
      size += inner * (shape[a] - 1);
      continue;
    }
    if (shape[a] > 1) inner = size * placement.step[a];
    strides[a] = size * placement.step[a];
    offset += size * placement.before[a];
    size *= placement.before[a] + placement.step[a] * shape[a] + placement.after[a];
  }
  const Tensor hidden = junk(contiguous.dtype(), random);
  return laid_out(contiguous, std::move(strides), offset, placement.head + size, hidden.storage().data());
}

StorageTraits traits_of(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  const Shape& strides = tensor.strides();
  StorageTraits traits;
  traits.order.resize(shape.size());
  std::iota(traits.order.begin(), traits.order.end(), std::size_t{0});
  traits.expanded.assign(shape.size(), false);
  traits.gap.assign(shape.size(), false);
  if (tensor.elements() == 0 || tensor.is_contiguous()) return traits;
  std::vector<std::size_t> strided;
  for (std::size_t a = 0; a < shape.size(); ++a) {
    traits.expanded[a] = shape[a] > 1 && strides[a] == 0;
    if (shape[a] > 1 && strides[a] > 0) strided.push_back(a);
  }
  const std::vector<std::size_t> places = strided;
  std::ranges::stable_sort(strided, [&](std::size_t a, std::size_t b) { return strides[a] > strides[b]; });
  for (std::size_t k = 0; k < places.size(); ++k) traits.order[places[k]] = strided[k];
  std::int64_t size = 1;
  std::int64_t hidden = tensor.offset() > 0 ? 0 : -1;
  for (std::size_t k = strided.size(); k-- > 0;) {
    const std::size_t a = strided[k];
    traits.gap[a] = strides[a] > size;
    if (k + 1 < strided.size() && strides[a] == strides[strided[k + 1]]) traits.sliding = a;
    if (traits.gap[a] && hidden < 0) hidden = tensor.offset() + size;
    size = strides[a] * (shape[a] - 1) + size;
    // The block of the next axis begins where this one's last index would end.
    if (k > 0) size = std::max(size, strides[a] * shape[a]);
  }
  traits.offset = tensor.offset();
  const std::size_t width = size_of(tensor.dtype());
  const auto held = static_cast<std::int64_t>(tensor.storage().size() / width);
  std::int64_t last = tensor.offset();
  for (std::size_t a = 0; a < shape.size(); ++a) last += strides[a] * (shape[a] - 1);
  traits.tail = held > last + 1;
  if (hidden < 0 && traits.tail) hidden = held - 1;
  if (hidden >= 0) {
    std::copy_n(tensor.storage().begin() + hidden * static_cast<std::int64_t>(width), width,
                traits.hidden.begin());
  }
  return traits;
}

Tensor with_traits(const Tensor& dense, const StorageTraits& traits) {
  const Shape& shape = dense.shape();
  if (dense.elements() == 0 || complexity(traits, shape) == 0) return dense;
  Shape strides(shape.size(), 0);
  std::int64_t size = 1, inner = 0;
  for (std::size_t k = shape.size(); k-- > 0;) {
    const std::size_t a = traits.order[k];
    if (traits.expanded[a]) continue;
    if (traits.sliding == a && inner > 0 && shape[a] > 1) {
      strides[a] = inner;
      size += inner * (shape[a] - 1);
      continue;
    }
    strides[a] = size + (traits.gap[a] && shape[a] > 1 ? 1 : 0);
    size = strides[a] * shape[a];
    if (shape[a] > 1) inner = strides[a];
  }
  const std::int64_t offset = traits.offset == 0 ? 0 : (traits.offset - 1) % 4 + 1;
  std::int64_t held = offset + 1 + (traits.tail ? 1 : 0);
  for (std::size_t a = 0; a < shape.size(); ++a) held += strides[a] * (shape[a] - 1);
  return laid_out(dense, std::move(strides), offset, held, traits.hidden.data());
}

bool is_repetition(const StorageTraits& traits, const Shape& shape, std::int64_t index) {
  Shape at(shape.size());
  for (std::size_t a = shape.size(); a-- > 0;) {
    at[a] = index % shape[a];
    if (traits.expanded[a] && at[a] != 0) return true;
    index /= shape[a];
  }
  const std::optional<Window> window = window_of(traits, shape);
  return window && window->repeats(at, shape);
}

std::int64_t complexity(const StorageTraits& traits, const Shape& shape) {
  std::int64_t sum = (traits.offset > 0 ? 1 : 0) + (traits.tail ? 1 : 0) + (window_of(traits, shape) ? 1 : 0);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const std::size_t a = traits.order[k];
    if (shape[a] <= 1) continue;
    sum += (traits.expanded[a] ? 1 : 0) + (traits.gap[a] ? 1 : 0);
    for (std::size_t later = k + 1; later < shape.size(); ++later) {
      const std::size_t b = traits.order[later];
      if (shape[b] > 1 && b < a && !traits.expanded[a] && !traits.expanded[b]) ++sum;
    }
  }
  return sum;
}

std::int64_t storage_complexity(const Case& c) {
  std::int64_t sum = 0;
  for (const NamedTensor& input : c.inputs) sum += complexity(traits_of(input.tensor), input.tensor.shape());
  return sum;
}

std::vector<StorageTraits> simpler_traits(const StorageTraits& traits) {
  std::vector<StorageTraits> simpler(1, traits);
  StorageTraits& plain = simpler.front();
  std::ranges::sort(plain.order);
  plain.expanded.assign(traits.expanded.size(), false);
  plain.sliding.reset();
  plain.gap.assign(traits.gap.size(), false);
  plain.offset = 0;
  plain.tail = false;
  const auto without = [&](auto change) {
    simpler.push_back(traits);
    change(simpler.back());
  };
  without([](StorageTraits& t) { std::ranges::sort(t.order); });
  without([](StorageTraits& t) { t.offset = 0; });
  without([](StorageTraits& t) { t.tail = false; });
  if (traits.sliding) without([](StorageTraits& t) { t.sliding.reset(); });
  for (std::size_t a = 0; a < traits.order.size(); ++a) {
    if (traits.expanded[a]) without([a](StorageTraits& t) { t.expanded[a] = false; });
    if (traits.gap[a]) without([a](StorageTraits& t) { t.gap[a] = false; });
  }
  return simpler;
}

Tensor repeated_zero(DType dtype, const Shape& shape) {
  auto zero = std::make_shared<const Tensor::Bytes>(size_of(dtype));
  return Tensor(dtype, shape, Shape(shape.size(), 0), 0, std::move(zero));
}

}  // namespace deformdiff
