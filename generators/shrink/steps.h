// The single steps that shrinking is a list of, and the candidates that they give.
#pragma once

#include "core/generator.h"
#include "generators/shrink/draft.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace deformdiff {

/// Some candidates of one kind, each made on demand; nothing where a step would change nothing.
struct Step {
  std::int64_t count;
  std::function<std::optional<Draft>(const Draft&, std::int64_t which)> make;
};
using Steps = std::vector<Step>;

/// What the steps make of `draft`, one after the other: valid cases, and others than the draft's own. With a
/// repeated axis an element may not be free to change.
CaseStream candidates(Draft draft, Steps steps);

}  // namespace deformdiff
