// The cases that an exported module is replayed on.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/levels.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace deformdiff {

/// The sizes of a case, which a trace must not depend on.
struct ReplaySizes {
  std::int64_t batch = 1;
  std::vector<LevelSize> levels;  ///< from low to high resolution
  LevelSize finest{};             ///< of the map that is finer than all levels, where a block has one
  friend bool operator==(const ReplaySizes&, const ReplaySizes&) = default;
};

struct ReplayCase {
  std::string name;  ///< "same_shape", "other_values", "other_batch", "transposed", "other_shape"
  ReplaySizes sizes;
  Case problem;
};

/// What replays are made from.
struct ReplaySource {
  const BlockDefinition& block;
  const Attributes& attributes;
  const std::vector<NamedTensor>& parameters;  ///< "param." and our names
  DType dtype;                                 ///< that the module computes in
  std::set<std::string> module_inputs;         ///< those, by our names, that the module takes
  std::vector<NamedTensor> example;            ///< inputs that it was traced on or is given, for their shapes
};

/// The sizes that the example's inputs have; what they do not tell is chosen.
ReplaySizes sizes_of(const ReplaySource& source);

/// One case for each promise of the block's definition: other values of the same sizes, another batch, the
/// transposed aspect ratio (as many pixels) and other sizes of maps.
std::vector<ReplayCase> replay_cases(const ReplaySource& source, const ReplaySizes& base, std::uint64_t seed);

/// Maps of nearly one value a channel: the mask predicted for a query then tends to be all of one kind, as it
/// takes for a row of an attention mask to be blocked throughout.
Case uniform_case(const ReplaySource& source, const ReplaySizes& sizes, std::uint64_t seed);

}  // namespace deformdiff
