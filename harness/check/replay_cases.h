// The cases that an exported module is replayed on.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/levels.h"
#include "generators/staged/sketch.h"

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
  std::int64_t queries = 0;       ///< where inputs alone say how many; 0: as the example has it
  friend bool operator==(const ReplaySizes&, const ReplaySizes&) = default;
};

struct ReplayCase {
  std::string name;  ///< "same_shape", "other_values", ..., or of hard_cases()
  ReplaySizes sizes;
  Case problem;
  std::string what{};  ///< what is unusual about it, in a few words; empty for the ordinary ones
};

/// What replays are made from.
struct ReplaySource {
  const BlockDefinition& block;
  const Attributes& attributes;
  const std::vector<NamedTensor>& parameters;  ///< "param." and our names
  DType dtype;                                 ///< that the module computes in
  std::set<std::string> module_inputs;         ///< those, by our names, that the module takes
  std::vector<NamedTensor> example;            ///< inputs that it was traced on or is given, for their shapes
  Extents configured;                          ///< extents that the configuration says and no attribute does
};

/// What is unusual about the elements of a case.
struct Manner {
  DeepTier tier = DeepTier::kTypical;
  std::set<Twist> twists{};
};

/// The sizes that the example's inputs have; sides and batch that they do not tell are chosen. Throws
/// InputError naming what must be known and is not, or where example and configuration contradict each other.
ReplaySizes sizes_of(const ReplaySource& source);

/// A case of these sizes with the model's parameters.
Case replay_case(const ReplaySource& source, const ReplaySizes& sizes, std::uint64_t seed,
                 const Manner& manner = {});

/// Makes the inputs that the block takes and the module does not what follows from the others.
void derive_again(const ReplaySource& source, Case& c);

/// One case for each promise of the block's definition: other values of the same sizes, another batch, the
/// transposed aspect ratio (as many pixels), other sizes of maps and, where they are an input, more queries.
std::vector<ReplayCase> replay_cases(const ReplaySource& source, const ReplaySizes& base, std::uint64_t seed);

/// Maps of nearly one value a channel: the mask predicted for a query then tends to be all of one kind, as it
/// takes for a row of an attention mask to be blocked throughout.
Case uniform_case(const ReplaySource& source, const ReplaySizes& sizes, std::uint64_t seed);

}  // namespace deformdiff
