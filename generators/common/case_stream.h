// Which tiers a stream of cases is drawn from, and its random numbers.
#pragma once

#include "core/generator.h"
#include "core/random.h"
#include "generators/common/draw.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// Those of `tiers` that are named, in their order, each with a share; all that have one for none. Throws
/// InputError for an unknown name.
std::vector<Tier> choose_tiers(const std::vector<Tier>& tiers, const std::vector<std::string>& names);

/// The name of one of them, in proportion to their shares.
const std::string& draw_tier(const std::vector<Tier>& chosen, Draw& draw);

/// A stream of its own for each seed, block, choice of tiers and conditions on sizes.
CounterRandom case_stream(const StreamChoice& choice, std::string_view block,
                          const std::vector<Tier>& chosen);

/// What a case of the stream says of where it comes from: "fuzz", and the conditions.
std::string origin_of(const StreamChoice& choice);

/// Whether case `index` is a large one: of every `period`, which is even, one, at a place of its own. Only
/// even indices are, so that no layout loses its turn.
bool is_large(std::uint64_t period, const CounterRandom& stream, std::uint64_t index);

/// Whether case `index` repeats the case before it in part: for implementations that remember.
bool is_sibling(std::uint64_t index);

/// One case in eight must have inputs laid out in storage otherwise than contiguous: the number of its turn.
/// Never a large case, a sibling, or the case that one repeats.
std::optional<std::uint64_t> layout_turn(std::uint64_t index);

}  // namespace deformdiff
