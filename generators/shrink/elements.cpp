#include "generators/shrink/elements.h"

#include "core/dtype_dispatch.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff {
namespace {

bool is_simplifiable(const Draft& draft, const NamedTensor& input) {
  if (draft.keeps_parameters && is_parameter(input.name)) return false;
  return input.tensor.dtype() != DType::kInt64;
}

/// `repeating` is the storage layout if it has elements in one place, else nullptr.
template <typename T>
std::optional<Tensor> simplified(const Tensor& dense, const StorageTraits* repeating, ElementRange range,
                                 const Simplify& by) {
  const auto old = dense.values<T>();
  std::vector<T> changed;
  for (std::int64_t i = range.first; i < range.last; ++i) {
    const auto from = static_cast<double>(old[static_cast<std::size_t>(i)]);
    const T element = static_cast<T>(by.change(from, i));
    const auto to = static_cast<double>(element);
    if (to == from && std::signbit(to) == std::signbit(from)) continue;
    if (repeating != nullptr && is_repetition(*repeating, dense.shape(), i)) continue;
    if (by.rank(to, i) >= by.rank(from, i)) continue;
    if (changed.empty()) changed.assign(old.begin(), old.end());
    changed[static_cast<std::size_t>(i)] = element;
  }
  if (changed.empty()) return std::nullopt;
  return Tensor::of<T>(dense.dtype(), dense.shape(), changed);
}

std::optional<Tensor> simplified(const Tensor& dense, const StorageTraits* repeating, ElementRange range,
                                 const Simplify& by) {
  if (dense.dtype() == DType::kBool) return simplified<std::uint8_t>(dense, repeating, range, by);
  return with_floating(dense.dtype(),
                       [&](auto zero) { return simplified<decltype(zero)>(dense, repeating, range, by); });
}

const StorageTraits* repeating_storage_layout(const Draft& draft, const std::string& input) {
  const auto layout = draft.storage_layouts.find(input);
  if (layout == draft.storage_layouts.end()) return nullptr;
  const StorageTraits& traits = layout->second;
  const bool repeats = traits.sliding || std::ranges::find(traits.expanded, true) != traits.expanded.end();
  return repeats ? &traits : nullptr;
}

}  // namespace

Simplify constant(double value) {
  return {[value](double, std::int64_t) { return value; }};
}

Simplify small_numbers(std::int64_t run) {
  return {[run](double, std::int64_t index) {
    const std::int64_t place = index / run % 5;
    return static_cast<double>(place == 4 ? 0 : 1 << place);
  }};
}

std::vector<Simplify> roundings() {
  std::vector<Simplify> ways;
  for (const NumberRounding rounding : number_roundings()) {
    ways.push_back({[rounding](double x, std::int64_t) { return rounding(x); }});
  }
  return ways;
}

std::vector<ElementRange> tensor_ranges(const Draft& draft) {
  std::vector<ElementRange> ranges;
  std::int64_t at = 0;
  for (const NamedTensor& input : draft.dense.inputs) {
    if (!is_simplifiable(draft, input)) continue;
    ranges.push_back({at, at + input.tensor.elements()});
    at += input.tensor.elements();
  }
  return ranges;
}

ElementRange range_of(const Draft& draft, const std::string& name) {
  std::int64_t at = 0;
  for (const NamedTensor& input : draft.dense.inputs) {
    const std::int64_t elements = is_simplifiable(draft, input) ? input.tensor.elements() : 0;
    if (input.name == name) return {at, at + elements};
    at += elements;
  }
  return {at, at};
}

ElementRange all_elements(const Draft& draft) {
  const std::vector<ElementRange> ranges = tensor_ranges(draft);
  return {0, ranges.empty() ? 0 : ranges.back().last};
}

std::optional<Draft> simplified(const Draft& draft, ElementRange range, const Simplify& by) {
  std::optional<Draft> simpler;
  std::int64_t at = 0;
  for (std::size_t k = 0; k < draft.dense.inputs.size() && at < range.last; ++k) {
    const auto& [name, tensor] = draft.dense.inputs[k];
    if (!is_simplifiable(draft, draft.dense.inputs[k])) continue;
    const ElementRange part{std::max<std::int64_t>(range.first - at, 0),
                            std::min(range.last - at, tensor.elements())};
    at += tensor.elements();
    if (part.first >= part.last) continue;
    std::optional<Tensor> changed = simplified(tensor, repeating_storage_layout(draft, name), part, by);
    if (!changed) continue;
    if (!simpler) simpler = draft;
    simpler->dense.inputs[k].tensor = *std::move(changed);
  }
  return simpler;
}

}  // namespace deformdiff
