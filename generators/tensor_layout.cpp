#include "generators/tensor_layout.h"

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
  const std::size_t axes = shape.size();
  Shape strides(axes, 0);
  std::int64_t size = 1;
  std::int64_t offset = placement.head;
  for (std::size_t k = axes; k-- > 0;) {
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
  Shape index(axes, 0);
  for (std::int64_t i = 0; i < contiguous.elements(); ++i) {
    std::int64_t at = offset;
    bool repeated = false;
    for (std::size_t a = 0; a < axes; ++a) {
      at += index[a] * strides[a];
      repeated = repeated || (placement.step[a] == 0 && index[a] > 0);
    }
    if (!repeated) out[at] = from[i];
    for (std::size_t a = axes; a-- > 0;) {
      if (++index[a] < shape[a]) break;
      index[a] = 0;
    }
  }
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
    default:
      DEFORMDIFF_CHECK(contiguous.dtype() == DType::kInt64);
      return place<std::int64_t>(contiguous, placement, random);
  }
}

}  // namespace deformdiff
