#include "engine/element_sample.h"

#include <algorithm>

namespace deformdiff {

void ElementSample::add(std::int64_t element, std::uint64_t drawn) {
  if (lowest_.size() == kMost) {
    if (drawn >= lowest_.front().first) return;
    std::ranges::pop_heap(lowest_);
    lowest_.pop_back();
  }
  lowest_.emplace_back(drawn, element);
  std::ranges::push_heap(lowest_);
}

std::vector<std::int64_t> ElementSample::elements() const {
  std::vector<std::int64_t> sorted;
  for (const auto& [drawn, element] : lowest_) sorted.push_back(element);
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace deformdiff
