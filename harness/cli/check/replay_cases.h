// The cases that an exported module is replayed on.
#pragma once

#include "blocks/levels.h"
#include "blocks/staged_block.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace deformdiff::cli {

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

/// The sizes that the inputs of these shapes have; what they do not tell is chosen.
ReplaySizes sizes_of(const std::vector<NamedTensor>& inputs, std::int64_t levels);

/// One case for each promise of the block's definition: other values of the same sizes, another batch, the
/// transposed aspect ratio (as many pixels) and other sizes of maps. `module_inputs` are those, by our names,
/// that the module takes; `parameters` have "param." and our names.
std::vector<ReplayCase> replay_cases(const StagedBlock& block, const Attributes& attributes,
                                     const std::vector<NamedTensor>& parameters,
                                     const std::set<std::string>& module_inputs, const ReplaySizes& base,
                                     std::uint64_t seed);

}  // namespace deformdiff::cli
