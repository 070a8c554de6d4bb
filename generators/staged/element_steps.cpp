#include "generators/common/number_rank.h"
#include "generators/staged/elements.h"
#include "generators/staged/steps.h"

#include <algorithm>
#include <utility>

namespace deformdiff {
namespace {

SimplerElement constant(double value) {
  return [value](double, std::int64_t) { return value; };
}

/// Small numbers of their own for neighbours: enough for a fault that a constant hides.
double small_number(double, std::int64_t index) {
  return static_cast<double>(index % 5 == 4 ? 0 : 1 << (index % 5));
}

SimplerElement rounding(NumberStep step) {
  return [step](double x, std::int64_t) { return step(x); };
}

/// The range of the tensors from the first half of the list, the second, the first quarter, ...
std::vector<ElementRange> halved_tensor_lists(const StagedDraft& draft) {
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

/// Each of `ways` on each of `ranges`.
void add_ways(const std::vector<ElementRange>& ranges, const std::vector<SimplerElement>& ways,
              StagedSteps& steps) {
  const auto each = static_cast<std::int64_t>(ways.size());
  steps.push_back({static_cast<std::int64_t>(ranges.size()) * each,
                   [ranges, ways, each](const StagedDraft& from, std::int64_t which) {
                     return simplified(from, ranges[static_cast<std::size_t>(which / each)],
                                       ways[static_cast<std::size_t>(which % each)]);
                   }});
}

std::vector<SimplerElement> roundings() {
  std::vector<SimplerElement> steps;
  for (const NumberStep step : number_roundings()) steps.push_back(rounding(step));
  return steps;
}

}  // namespace

void add_constant_steps(const StagedDraft& draft, StagedSteps& steps) {
  const std::vector<ElementRange> ranges = halved_tensor_lists(draft);
  for (const ElementRange range : ranges) {
    steps.push_back({4, [range](const StagedDraft& from, std::int64_t which) -> std::optional<StagedDraft> {
                       if (which == 0) return simplified(from, range, constant(0));
                       if (which == 1) return simplified(from, range, constant(1));
                       if (which == 2) return with_identities(from, range);
                       return simplified(from, range, small_number);
                     }});
  }
}

void add_rounding_steps(const StagedDraft& draft, StagedSteps& steps) {
  add_ways(halved_tensor_lists(draft), roundings(), steps);
}

void add_chunks(const StagedDraft& draft, StagedSteps& steps, bool single) {
  const std::int64_t elements = simplifiable_elements(draft);
  for (std::int64_t chunk = (elements + 1) / 2; elements > 1; chunk = (chunk + 1) / 2) {
    if ((chunk <= 2) == single) {
      steps.push_back({(elements + chunk - 1) / chunk * 2, [=](const StagedDraft& from, std::int64_t which) {
                         const std::int64_t first = which / 2 * chunk;
                         return simplified(from, {first, std::min(elements, first + chunk)},
                                           constant(static_cast<double>(which % 2)));
                       }});
    }
    if (chunk == 1) break;
  }
}

void add_single_roundings(const StagedDraft& draft, StagedSteps& steps) {
  const std::vector<SimplerElement> ways = roundings();
  const auto each = static_cast<std::int64_t>(ways.size());
  steps.push_back(
      {simplifiable_elements(draft) * each, [ways, each](const StagedDraft& from, std::int64_t which) {
         const std::int64_t at = which / each;
         return simplified(from, {at, at + 1}, ways[static_cast<std::size_t>(which % each)]);
       }});
}

}  // namespace deformdiff
