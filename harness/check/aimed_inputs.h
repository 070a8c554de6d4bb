// Inputs that put chosen values where a block computes.
#pragma once

#include "engine/block_entry.h"

#include <cstdint>
#include <functional>

namespace deformdiff {

/// Element `column` of row `row`.
using Rows = std::function<double(std::int64_t row, std::int64_t column)>;

/// What this stage of the case is given when every stage before it computes in exact arithmetic.
Case exact_inputs(const BlockEntry& entry, const Case& c, const Stage& last, int threads);

/// Replaces the elements of the case's input of that name, rows being those of the last axis; false if the
/// case has none of that name.
bool set_rows(Case& c, std::string_view input, const Rows& rows);

/// Chooses the input that the block's first layer norm takes, or takes after something was added, so that the
/// norm is given these rows, up to rounding. What is added is made independent of that input first: all keys
/// alike, references far outside, everything padded. False, and the case may be changed, where there is no
/// such input.
bool give_to_first_norm(const BlockEntry& entry, Case& c, const Rows& rows, int threads);

}  // namespace deformdiff
