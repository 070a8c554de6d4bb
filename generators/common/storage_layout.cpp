#include "generators/common/storage_layout.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
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
  std::int64_t head = 0;           ///< elements in front of the larger tensor
};

Placement draw_placement(const Shape& shape, Layout layout, const CounterRandom& random) {
  Placement placement(shape);
  const auto axes = static_cast<std::uint64_t>(shape.size());
  const auto axis = static_cast<std::size_t>(random.below(0, axes));
  switch (layout) {
    case Layout::kContiguous:
      break;
    case Layout::kOffset:
      placement.head = 1 + static_cast<std::int64_t>(random.below(1, 3));
      break;
    case Layout::kSliced:
      for (std::uint64_t k = 0; k < 2; ++k) {
        const auto sliced = k == 0 ? axis : static_cast<std::size_t>(random.below(2, axes));
        placement.before[sliced] = static_cast<std::int64_t>(random.below(3 + k, 3));
        placement.after[sliced] = static_cast<std::int64_t>(random.below(5 + k, 2)) + (k == 0 ? 1 : 0);
      }
      break;
    case Layout::kTransposed:
      for (std::size_t a = shape.size(); a > 1; --a) {
        std::swap(placement.order[a - 1], placement.order[static_cast<std::size_t>(random.below(10 + a, a))]);
      }
      break;
    case Layout::kStepped:
      placement.step[axis] = 2;
      break;
    case Layout::kExpanded:
      placement.step[axis] = 0;
      break;
  }
  return placement;
}

/// Calls visit(row-major index, storage index) for every element that is not a repetition by stride 0.
template <typename Visit>
void for_each_owned(const Shape& shape, const Shape& strides, std::int64_t offset, Visit visit) {
  Shape index(shape.size(), 0);
  std::int64_t at = offset;
  std::int64_t repetitions = 0;  // axes of stride 0 whose index is not 0
  const std::int64_t elements = element_count(shape);
  for (std::int64_t i = 0; i < elements; ++i) {
    if (repetitions == 0) visit(i, at);
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

template <typename T>
T junk(const CounterRandom& random) {
  if constexpr (std::is_integral_v<T>) {
    return 1;
  } else {
    return random.below(30, 2) == 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(1e30);
  }
}

template <typename T>
Tensor place(const Tensor& contiguous, const Placement& placement, const CounterRandom& random) {
  const Shape& shape = contiguous.shape();
  Shape strides(shape.size(), 0);
  std::int64_t size = 1;
  std::int64_t offset = placement.head;
  for (std::size_t k = shape.size(); k-- > 0;) {
    const std::size_t a = placement.order[k];
    if (placement.step[a] == 0) continue;
    strides[a] = size * placement.step[a];
    offset += size * placement.before[a];
    size *= placement.before[a] + placement.step[a] * shape[a] + placement.after[a];
  }
  auto storage = std::make_shared<Tensor::Bytes>(static_cast<std::size_t>(placement.head + size) * sizeof(T));
  T* const out = reinterpret_cast<T*>(storage->data());
  std::fill_n(out, placement.head + size, junk<T>(random));
  const T* from = contiguous.storage_as<T>();
  for_each_owned(shape, strides, offset, [&](std::int64_t index, std::int64_t at) { out[at] = from[index]; });
  return Tensor(contiguous.dtype(), shape, std::move(strides), offset, std::move(storage));
}

}  // namespace

Tensor with_layout(const Tensor& contiguous, Layout layout, const CounterRandom& random) {
  if (layout == Layout::kContiguous || contiguous.elements() == 0) return contiguous;
  const Placement placement = draw_placement(contiguous.shape(), layout, random);
  switch (contiguous.dtype()) {
    case DType::kFloat32:
      return place<float>(contiguous, placement, random);
    case DType::kFloat64:
      return place<double>(contiguous, placement, random);
    case DType::kBool:
      return place<std::uint8_t>(contiguous, placement, random);
    default:
      DEFORMDIFF_CHECK(contiguous.dtype() == DType::kInt64);
      return place<std::int64_t>(contiguous, placement, random);
  }
}

LayoutTraits traits_of(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  const Shape& strides = tensor.strides();
  LayoutTraits traits;
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

Tensor with_traits(const Tensor& dense, const LayoutTraits& traits) {
  const Shape& shape = dense.shape();
  if (dense.elements() == 0 || complexity(traits, shape) == 0) return dense;
  Shape strides(shape.size(), 0);
  std::int64_t size = 1;
  for (std::size_t k = shape.size(); k-- > 0;) {
    const std::size_t a = traits.order[k];
    if (traits.expanded[a]) continue;
    strides[a] = size + (traits.gap[a] && shape[a] > 1 ? 1 : 0);
    size = strides[a] * shape[a];
  }
  const std::int64_t offset = traits.offset == 0 ? 0 : (traits.offset - 1) % 4 + 1;
  const std::size_t width = size_of(dense.dtype());
  std::int64_t elements = offset + 1 + (traits.tail ? 1 : 0);
  for (std::size_t a = 0; a < shape.size(); ++a) elements += strides[a] * (shape[a] - 1);
  auto storage = std::make_shared<Tensor::Bytes>(static_cast<std::size_t>(elements) * width);
  for (std::size_t at = 0; at < storage->size(); at += width) {
    std::copy_n(traits.hidden.begin(), width, storage->begin() + static_cast<std::ptrdiff_t>(at));
  }
  for_each_owned(shape, strides, offset, [&](std::int64_t from, std::int64_t to) {
    const auto bytes = static_cast<std::int64_t>(width);
    std::copy_n(dense.storage().begin() + from * bytes, bytes, storage->begin() + to * bytes);
  });
  return Tensor(dense.dtype(), shape, std::move(strides), offset, std::move(storage));
}

std::int64_t complexity(const LayoutTraits& traits, const Shape& shape) {
  std::int64_t sum = (traits.offset > 0 ? 1 : 0) + (traits.tail ? 1 : 0);
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

std::vector<LayoutTraits> simpler_traits(const LayoutTraits& traits) {
  std::vector<LayoutTraits> simpler(1, traits);
  LayoutTraits& plain = simpler.front();
  std::ranges::sort(plain.order);
  plain.expanded.assign(traits.expanded.size(), false);
  plain.gap.assign(traits.gap.size(), false);
  plain.offset = 0;
  plain.tail = false;
  const auto without = [&](auto change) {
    simpler.push_back(traits);
    change(simpler.back());
  };
  without([](LayoutTraits& t) { std::ranges::sort(t.order); });
  without([](LayoutTraits& t) { t.offset = 0; });
  without([](LayoutTraits& t) { t.tail = false; });
  for (std::size_t a = 0; a < traits.order.size(); ++a) {
    if (traits.expanded[a]) without([a](LayoutTraits& t) { t.expanded[a] = false; });
    if (traits.gap[a]) without([a](LayoutTraits& t) { t.gap[a] = false; });
  }
  return simpler;
}

}  // namespace deformdiff
