#include "generators/staged/identities.h"

#include "core/dtype_dispatch.h"

#include <algorithm>
#include <utility>

namespace deformdiff {
namespace {

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
  return is_parameter(input.name) && input.name.ends_with("weight") && input.tensor.shape().size() >= 2 &&
         input.tensor.elements() > 0 && is_floating(input.tensor.dtype());
}

}  // namespace

std::optional<Draft> with_identities(const Draft& draft, ElementRange range) {
  std::optional<Draft> simpler;
  for (std::size_t k = 0; k < draft.dense.inputs.size(); ++k) {
    const NamedTensor& input = draft.dense.inputs[k];
    if (!is_weight(input)) continue;
    const std::int64_t first = range_of(draft, input.name).first;
    if (first < range.first || first >= range.last) continue;
    std::optional<Tensor> changed = with_floating(
        input.tensor.dtype(), [&](auto zero) { return identity<decltype(zero)>(input.tensor); });
    if (!changed) continue;
    if (!simpler) simpler = draft;
    simpler->dense.inputs[k].tensor = *std::move(changed);
  }
  return simpler;
}

}  // namespace deformdiff
