#include "generators/staged/identities.h"
#include "generators/staged/steps.h"

#include <algorithm>

namespace deformdiff {

std::vector<ElementRange> halved_tensor_lists(const Draft& draft) {
  const std::vector<ElementRange> tensors = tensor_ranges(draft);
  std::vector<ElementRange> ranges;
  std::size_t chunk = tensors.size();
  while (chunk > 0) {
    for (std::size_t first = 0; first < tensors.size(); first += chunk) {
      const std::size_t last = std::min(tensors.size(), first + chunk) - 1;
      ranges.push_back({tensors[first].first, tensors[last].last});
    }
    chunk = chunk == 1 ? 0 : (chunk + 1) / 2;
  }
  return ranges;
}

void add_constant_steps(const Draft& draft, Steps& steps) {
  for (const ElementRange range : halved_tensor_lists(draft)) {
    steps.push_back(ways_on({range}, {constant(0), constant(1)}));
    steps.push_back({1, [range](const Draft& from, std::int64_t) { return with_identities(from, range); }});
    steps.push_back(ways_on({range}, {small_numbers()}));
  }
}

}  // namespace deformdiff
