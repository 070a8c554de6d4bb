#include "generators/staged/elements.h"

#include "generators/common/number_rank.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace deformdiff {
namespace {

bool is_simplifiable(const Tensor& tensor) {
  return tensor.dtype() != DType::kInt64;
}

template <typename T>
std::optional<Tensor> simplified_elements(const Tensor& tensor, std::int64_t first, std::int64_t last,
                                          const SimplerElement& step) {
  const T* const from = tensor.storage_as<T>();
  std::vector<T> changed;
  for (std::int64_t i = first; i < last; ++i) {
    const T simpler = static_cast<T>(step(static_cast<double>(from[i]), i));
    if (rank_of(static_cast<double>(simpler)) >= rank_of(static_cast<double>(from[i]))) continue;
    if (changed.empty()) changed.assign(from, from + tensor.elements());
    changed[static_cast<std::size_t>(i)] = simpler;
  }
  if (changed.empty()) return std::nullopt;
  return Tensor::of<T>(tensor.dtype(), tensor.shape(), changed);
}

std::optional<Tensor> simplified_elements(const Tensor& tensor, std::int64_t first, std::int64_t last,
                                          const SimplerElement& step) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return simplified_elements<float>(tensor, first, last, step);
    case DType::kFloat64:
      return simplified_elements<double>(tensor, first, last, step);
    case DType::kBool:
      return simplified_elements<std::uint8_t>(tensor, first, last, step);
    default:
      return std::nullopt;
  }
}

/// Whether row-major element `index` is a one of an identity of this shape.
struct IdentityPattern {
  explicit IdentityPattern(const Shape& shape) : rows(shape[0]), columns(shape[1]) {
    for (std::size_t a = 2; a < shape.size(); ++a) {
      centre = centre * shape[a] + shape[a] / 2;
      kernel *= shape[a];
    }
  }
  bool operator()(std::int64_t index) const {
    const std::int64_t row = index / kernel / columns;
    const std::int64_t column = index / kernel % columns;
    const std::int64_t modulus = std::min(rows, columns);
    return index % kernel == centre && row % modulus == column % modulus;
  }
  std::int64_t rows, columns, kernel = 1, centre = 0;
};

template <typename T>
std::optional<Tensor> identity(const Tensor& tensor) {
  const IdentityPattern is_one(tensor.shape());
  const T* const from = tensor.storage_as<T>();
  std::vector<T> ones(static_cast<std::size_t>(tensor.elements()));
  std::int64_t fewer = 0;  // ones that would go, less those that would come
  bool worse = false;      // an element that is neither zero nor one: its going outweighs any number of ones
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const bool one = is_one(i);
    ones[static_cast<std::size_t>(i)] = one ? T{1} : T{0};
    worse = worse || rank_of(static_cast<double>(from[i])) > rank_of(1);
    fewer += (from[i] == T{1} ? 1 : 0) - (one ? 1 : 0);
  }
  if (!worse && fewer <= 0) return std::nullopt;
  return Tensor::of<T>(tensor.dtype(), tensor.shape(), ones);
}

bool is_weight(const NamedTensor& input) {
  return input.name.starts_with("param.") && input.name.ends_with("weight") &&
         input.tensor.shape().size() >= 2 && input.tensor.elements() > 0 && is_floating(input.tensor.dtype());
}

}  // namespace

std::int64_t simplifiable_elements(const StagedDraft& draft) {
  std::int64_t elements = 0;
  for (const NamedTensor& input : draft.dense.inputs) {
    if (is_simplifiable(input.tensor)) elements += input.tensor.elements();
  }
  return elements;
}

std::vector<ElementRange> tensor_ranges(const StagedDraft& draft) {
  std::vector<ElementRange> ranges;
  std::int64_t at = 0;
  for (const NamedTensor& input : draft.dense.inputs) {
    if (!is_simplifiable(input.tensor)) continue;
    ranges.push_back({at, at + input.tensor.elements()});
    at += input.tensor.elements();
  }
  return ranges;
}

std::optional<StagedDraft> simplified(const StagedDraft& draft, ElementRange range,
                                      const SimplerElement& step) {
  std::optional<StagedDraft> simpler;
  std::int64_t at = 0;
  for (std::size_t k = 0; k < draft.dense.inputs.size() && at < range.last; ++k) {
    const Tensor& tensor = draft.dense.inputs[k].tensor;
    if (!is_simplifiable(tensor)) continue;
    const std::int64_t first = std::max<std::int64_t>(range.first - at, 0);
    const std::int64_t last = std::min(range.last - at, tensor.elements());
    at += tensor.elements();
    if (first >= last) continue;
    std::optional<Tensor> changed = simplified_elements(tensor, first, last, step);
    if (!changed) continue;
    if (!simpler) simpler = draft;
    simpler->dense.inputs[k].tensor = *std::move(changed);
  }
  return simpler;
}

std::optional<StagedDraft> with_identities(const StagedDraft& draft, ElementRange range) {
  std::optional<StagedDraft> simpler;
  std::int64_t at = 0;
  for (std::size_t k = 0; k < draft.dense.inputs.size(); ++k) {
    const NamedTensor& input = draft.dense.inputs[k];
    if (!is_simplifiable(input.tensor)) continue;
    const std::int64_t first = at;
    at += input.tensor.elements();
    if (first < range.first || at > range.last || !is_weight(input)) continue;
    std::optional<Tensor> changed = input.tensor.dtype() == DType::kFloat64 ? identity<double>(input.tensor)
                                                                            : identity<float>(input.tensor);
    if (!changed) continue;
    if (!simpler) simpler = draft;
    simpler->dense.inputs[k].tensor = *std::move(changed);
  }
  return simpler;
}

}  // namespace deformdiff
