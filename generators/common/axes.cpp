#include "generators/common/axes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <numeric>
#include <utility>

namespace deformdiff {
namespace {

std::int64_t value_of(const std::string& factor, const Extents& extents) {
  if (std::isdigit(static_cast<unsigned char>(factor.front())) != 0) {
    std::int64_t number = 0;
    std::from_chars(factor.data(), factor.data() + factor.size(), number);
    return number;
  }
  const auto found = extents.find(factor);
  DEFORMDIFF_CHECK(found != extents.end());
  return found->second;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

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

std::vector<Factors> axes_of(const TensorSpec& spec) {
  std::vector<Factors> axes;
  for (const std::string& axis : split(spec.axes, ' ')) axes.push_back(split(axis, '*'));
  return axes;
}

bool has_extent(const TensorSpec& spec, const std::string& name) {
  if (spec.axes.find(name) == std::string::npos) return false;
  return std::ranges::any_of(
      axes_of(spec), [&](const Factors& axis) { return std::ranges::find(axis, name) != axis.end(); });
}

bool is_parameter(std::string_view name) {
  return name.starts_with("param.");
}

Shape shape_of(const TensorSpec& spec, const Extents& extents) {
  Shape shape;
  for (const Factors& axis : axes_of(spec)) {
    std::int64_t& size = shape.emplace_back(1);
    for (const std::string& factor : axis) size *= value_of(factor, extents);
  }
  return shape;
}

Tensor gather(const Tensor& dense, const TensorSpec& spec, const Extents& extents, const std::string& name,
              const Indices& indices) {
  std::vector<std::string> factors;
  std::vector<std::size_t> axis_of_factor;
  Shape shape = dense.shape();
  const std::vector<Factors> axes = axes_of(spec);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    for (const std::string& factor : axes[a]) {
      factors.push_back(factor);
      axis_of_factor.push_back(a);
    }
  }
  Shape sizes;
  for (const std::string& factor : factors) sizes.push_back(value_of(factor, extents));
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
