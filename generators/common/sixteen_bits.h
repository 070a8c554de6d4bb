// Cases of float16 and bfloat16, made of cases of float32: every block's generator, shrinks, ablations and
// mutations serve them too.
#pragma once

#include "core/ablation.h"
#include "core/generator.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace deformdiff {

/// Cases that hold float32 tensors beside those of 16 bits.
struct MixedTypes {
  /// Names of inputs of a case that stay float32. None if there is no function, or nothing to name.
  std::function<std::set<std::string>(const Case&)> float32_inputs;
  std::string words;  ///< what such a case is, for people
};

/// A generator whose stream is that of `generator`, three cases in twenty float16 and as many bfloat16
/// instead. A third of these are of `mixed` types. Not in tiers without a share, whose cases are made for
/// their size. Numbers that the type does not have are rounded up or down at random, the same number the same
/// way: what is aimed at a border or a tie in float32 lies on either side of it in the type's own numbers.
/// Tensors beyond its range are scaled into it. `generator` must outlive the result.
std::unique_ptr<const Generator> with_sixteen_bits(const Generator& generator, MixedTypes mixed = {});

/// What shrinks does for a 16-bit case: the smaller cases of the float32 case of the same numbers, rounded
/// but for tensors that are float32 beside those of 16 bits.
Shrinks with_sixteen_bits(Shrinks shrinks);

/// The same of ablations.
Ablations with_sixteen_bits(Ablations ablations);

/// As in engine/block_entry.h.
using Mutation = std::function<std::optional<Case>(const Case& c, std::uint64_t key, bool keeps_sizes)>;
Mutation with_sixteen_bits(Mutation mutate);

}  // namespace deformdiff
