#include "generators/shrink/ablations.h"

#include <memory>
#include <utility>

namespace deformdiff {

Ablation ablation(const BlockDefinition& block, std::string words, WaysWithout ways) {
  const auto without = [&block, ways = std::move(ways)](const Case& c) -> CaseStream {
    const auto draft = std::make_shared<const Draft>(draft_of(block, c));
    return [c, draft, step = ways(*draft), next = std::int64_t{0}]() mutable -> std::optional<Case> {
      while (next < step.count) {
        const std::optional<Draft> changed = step.make(*draft, next++);
        if (!changed) continue;
        if (changed->dense == draft->dense) return c;
        Case candidate = case_of(*changed);
        const bool kept = draft_of(*draft->block, candidate).dense == changed->dense;
        if (kept && is_valid(*draft->block, candidate)) return candidate;
      }
      return std::nullopt;
    };
  };
  return {std::move(words), without};
}

Step one_way(std::function<std::optional<Draft>(const Draft&)> change) {
  return {1, [change = std::move(change)](const Draft& draft, std::int64_t) { return change(draft); }};
}

Step one_of(const ShrinkAxis& axis) {
  if (axis.size <= 1) return one_way([](const Draft& draft) { return draft; });
  return {axis.size, [axis](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            return axis.keep(draft, {which});
          }};
}

}  // namespace deformdiff
