#include "generators/common/gather.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace deformdiff {
namespace {

/// Only `indices` of the middle axis of [outer, size, inner] elements of `width` bytes.
Tensor::Bytes gathered(std::span<const std::byte> from, std::int64_t outer, std::int64_t size,
                       std::int64_t inner_bytes, const Indices& indices) {
  Tensor::Bytes to(static_cast<std::size_t>(outer * inner_bytes) * indices.size());
  auto at = to.begin();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) {
      const auto start = from.begin() + (o * size + index) * inner_bytes;
      at = std::copy(start, start + inner_bytes, at);
    }
  }
  return to;
}

}  // namespace

Indices index_range(std::int64_t first, std::int64_t last) {
  Indices indices(static_cast<std::size_t>(std::max<std::int64_t>(last - first, 0)));
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

Tensor gather(const Tensor& dense, const TensorSpec& spec, const Extents& extents, const std::string& name,
              const Indices& indices) {
  Factors factors;
  std::vector<std::size_t> axis_of_factor;
  Shape sizes, shape = dense.shape();
  const std::vector<Factors> axes = parse_axes(spec.axes);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    for (const std::string& factor : axes[a]) {
      factors.push_back(factor);
      axis_of_factor.push_back(a);
      sizes.push_back(value_of(factor, extents));
    }
  }
  DEFORMDIFF_CHECK(dense.is_contiguous() && element_count(sizes) == dense.elements());
  const auto count = static_cast<std::int64_t>(indices.size());
  const auto width = static_cast<std::int64_t>(size_of(dense.dtype()));
  Tensor::Bytes bytes;
  std::span<const std::byte> from = dense.storage();
  bool changed = false;
  for (std::size_t k = 0; k < factors.size(); ++k) {
    if (factors[k] != name) continue;
    DEFORMDIFF_CHECK(std::ranges::all_of(indices, [&](std::int64_t i) { return i >= 0 && i < sizes[k]; }));
    if (indices == index_range(0, sizes[k])) continue;
    std::int64_t outer = 1;
    std::int64_t inner = width;
    for (std::size_t j = 0; j < k; ++j) outer *= sizes[j];
    for (std::size_t j = k + 1; j < factors.size(); ++j) inner *= sizes[j];
    bytes = gathered(from, outer, sizes[k], inner, indices);
    from = bytes;
    changed = true;
    std::int64_t& extent = shape[axis_of_factor[k]];
    sizes[k] = count;
    extent = 1;
    for (std::size_t j = 0; j < factors.size(); ++j) {
      if (axis_of_factor[j] == axis_of_factor[k]) extent *= sizes[j];
    }
  }
  if (!changed) return dense;
  return Tensor(dense.dtype(), std::move(shape), std::move(bytes));
}

}  // namespace deformdiff
