// Rule 8: the judgement of an implementation of whose arithmetic nothing is known, by relations between its
// answers.
#pragma once

#include "core/relation.h"
#include "engine/block_entry.h"
#include "engine/compare.h"

#include <vector>

namespace deformdiff {

/// The cases of the line, those nudged, then those of each relation's terms, in order: those of
/// Outcome::related.
std::vector<const Case*> cases_of(const RelatedCases& related);

/// Judges an outcome with what became of the related cases. The first relation that is broken decides, and is
/// the class of its element; what a related case came to, where it did not return as it should, comes before.
/// Vacuous where no relation could be judged, and where the noise hides what a fault would change, unless the
/// case `has_failed` before. The ratios of all elements are added to `ratios` unless it is null.
Comparison judge_relations(const BlockEntry& entry, const Case& c, const Outcome& outcome,
                           const Contract& contract, bool has_failed, RatioHistogram* ratios = nullptr);

}  // namespace deformdiff
