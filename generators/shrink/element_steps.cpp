#include "generators/shrink/element_steps.h"

#include <algorithm>
#include <utility>

namespace deformdiff {
namespace {

/// The range by chunks, each of them by each of `ways`.
Step chunked(ElementRange range, std::int64_t chunk, std::vector<Simplify> ways) {
  const auto each = static_cast<std::int64_t>(ways.size());
  return {(range.size() + chunk - 1) / chunk * each,
          [range, chunk, each, ways = std::move(ways)](const Draft& from, std::int64_t which) {
            const std::int64_t first = range.first + which / each * chunk;
            return simplified(from, {first, std::min(range.last, first + chunk)},
                              ways[static_cast<std::size_t>(which % each)]);
          }};
}

}  // namespace

Step ways_on(std::vector<ElementRange> ranges, std::vector<Simplify> ways) {
  const auto each = static_cast<std::int64_t>(ways.size());
  const std::int64_t count = static_cast<std::int64_t>(ranges.size()) * each;
  return {count,
          [ranges = std::move(ranges), ways = std::move(ways), each](const Draft& from, std::int64_t which) {
            return simplified(from, ranges[static_cast<std::size_t>(which / each)],
                              ways[static_cast<std::size_t>(which % each)]);
          }};
}

void add_chunks(ElementRange range, const std::vector<Simplify>& ways, bool single, Steps& steps) {
  for (std::int64_t chunk = (range.size() + 1) / 2; range.size() > 1; chunk = (chunk + 1) / 2) {
    if ((chunk <= 2) == single) steps.push_back(chunked(range, chunk, ways));
    if (chunk == 1) break;
  }
}

Step one_by_one(ElementRange range, std::vector<Simplify> ways) {
  return chunked(range, 1, std::move(ways));
}

}  // namespace deformdiff
