// Steps that make elements of a deep block's tensors simpler.
#pragma once

#include "generators/staged/edits.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace deformdiff {

/// From an element and its row-major index in its tensor to what it may become.
using SimplerElement = std::function<double(double element, std::int64_t index)>;

/// Places among the elements of all floating and bool tensors, laid end to end.
struct ElementRange {
  std::int64_t first, last;
};

std::int64_t simplifiable_elements(const StagedDraft& draft);

/// Where each floating or bool tensor lies.
std::vector<ElementRange> tensor_ranges(const StagedDraft& draft);

/// Applies `step` to the elements of a range, to each only where it gets simpler. Nothing if none does.
std::optional<StagedDraft> simplified(const StagedDraft& draft, ElementRange range,
                                      const SimplerElement& step);

/// Weights of matrices and convolutions within the range made identities: ones where row and column (the
/// kernel's centre) agree, modulo the lesser of the two; zeros elsewhere. Nothing if that is not simpler.
std::optional<StagedDraft> with_identities(const StagedDraft& draft, ElementRange range);

}  // namespace deformdiff
