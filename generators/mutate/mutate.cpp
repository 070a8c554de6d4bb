#include "generators/mutate/mutate.h"

#include "core/random.h"
#include "generators/shrink/draft.h"

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <utility>
#include <vector>

namespace deformdiff {
namespace {

/// Keys tried before there is nothing.
constexpr std::uint64_t kTries = 8;

/// How many times the elements of a case its mutant may have.
constexpr std::int64_t kMostGrowth = 4;

std::uint64_t below(const CounterRandom& random, std::uint64_t label, std::size_t n) {
  return random.below(label, n);
}

template <typename T>
const T& one_of(const CounterRandom& random, std::uint64_t label, const std::vector<T>& list) {
  return list[below(random, label, list.size())];
}

template <typename T>
T changed(T number, T other, const CounterRandom& random) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  switch (random.below(0, 8)) {
    case 0:
      return -number;
    case 1:
      return number * 2;
    case 2:
      return number / 2;
    case 3:
      return std::nextafter(number, kInfinity);
    case 4:
      return std::nextafter(number, -kInfinity);
    case 5:
      return 0;
    case 6:
      return std::round(number);
    default:
      return other;
  }
}

/// One element, or all of them, each by the same rule.
template <typename T>
Tensor with_changed_numbers(const Tensor& dense, const CounterRandom& random) {
  const auto before = dense.values<T>();
  std::vector<T> numbers(before.begin(), before.end());
  const auto at = [&](std::uint64_t label) { return below(random, label, numbers.size()); };
  if (random.below(0, 2) == 0) {
    const std::size_t place = at(1);
    numbers[place] = changed(numbers[place], before[at(2)], random.stream(3));
  } else {
    for (T& number : numbers) number = changed(number, before[at(2)], random.stream(3));
  }
  return Tensor::of<T>(dense.dtype(), dense.shape(), numbers);
}

std::optional<Draft> change_numbers(const Draft& draft, const CounterRandom& random) {
  std::vector<std::string> names;
  for (const NamedTensor& input : draft.dense.inputs) {
    const DType dtype = input.tensor.dtype();
    const bool floating = dtype == DType::kFloat32 || dtype == DType::kFloat64;
    if (floating && input.tensor.elements() > 0) names.push_back(input.name);
  }
  if (names.empty()) return std::nullopt;
  const std::string& name = one_of(random, 0, names);
  const Tensor& dense = draft.dense.input(name);
  Draft other = draft;
  set_input(other.dense, name,
            dense.dtype() == DType::kFloat32 ? with_changed_numbers<float>(dense, random.stream(1))
                                             : with_changed_numbers<double>(dense, random.stream(1)));
  return other;
}

/// One more index of an extent, one less, or twice as many; those that are new repeat old ones.
std::optional<Draft> change_size(const Draft& draft, const CounterRandom& random) {
  std::vector<std::pair<std::string, std::int64_t>> sizes;
  const Extents extents = draft.block->dimensions(draft.dense);
  for (const auto& [name, size] : extents) {
    if (size > 0) sizes.emplace_back(name, size);
  }
  if (sizes.empty()) return std::nullopt;
  const auto& [extent, size] = one_of(random, 0, sizes);
  const std::int64_t wanted = std::array{size + 1, size - 1, 2 * size}[random.below(1, 3)];
  Indices indices = index_range(0, std::min(size, wanted));
  for (std::int64_t i = size; i < wanted; ++i) {
    indices.push_back(static_cast<std::int64_t>(
        below(random.stream(2), static_cast<std::uint64_t>(i), static_cast<std::size_t>(size))));
  }
  return keep_extent(draft, extents, extent, indices);
}

/// One input lies otherwise in its storage.
std::optional<Case> change_storage(const Draft& draft, const CounterRandom& random) {
  Case c = case_of(draft);
  if (c.inputs.empty()) return std::nullopt;
  Tensor& tensor = c.inputs[below(random, 0, c.inputs.size())].tensor;
  std::vector<StorageLayout> layouts{StorageLayout::kContiguous};
  for (const StorageLayout layout : layouts_of(tensor.dtype(), tensor.shape().size())) {
    if (can_have(layout, tensor.dtype(), tensor.shape())) layouts.push_back(layout);
  }
  tensor = with_storage_layout(tensor.contiguous(), one_of(random, 1, layouts), random.stream(2));
  return c;
}

std::optional<Case> change(const BlockDefinition& block, const Case& c, const CounterRandom& random,
                           bool keeps_sizes) {
  const Draft draft = draft_of(block, c);
  const std::uint64_t kind = random.below(0, 4);
  if (kind == 3) return change_storage(draft, random.stream(1));
  const bool sizes = kind == 2 && !keeps_sizes;
  const std::optional<Draft> other =
      sizes ? change_size(draft, random.stream(1)) : change_numbers(draft, random.stream(1));
  return other ? std::optional(case_of(*other)) : std::nullopt;
}

}  // namespace

std::optional<Case> mutated(const BlockDefinition& block, const Case& c, std::uint64_t key,
                            bool keeps_sizes) {
  for (std::uint64_t attempt = 0; attempt < kTries; ++attempt) {
    std::optional<Case> other = change(block, c, CounterRandom(key).stream(attempt), keeps_sizes);
    if (!other || *other == c || !is_valid(block, *other)) continue;
    if (element_count(*other) <= kMostGrowth * element_count(c)) return other;
  }
  return std::nullopt;
}

}  // namespace deformdiff
