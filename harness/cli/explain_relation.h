// A broken relation, for people: what both of its sides are.
#pragma once

#include "core/outcome.h"
#include "core/relation.h"
#include "engine/compare.h"

#include <string>

namespace deformdiff::cli {

/// `decided` has verdict kBrokenRelation, of this outcome of `c`.
std::string explain_relation(const Relations& relations, const Case& c, const Outcome& outcome,
                             const Comparison& decided);

}  // namespace deformdiff::cli
