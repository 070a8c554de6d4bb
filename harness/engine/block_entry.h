// What the engine is told of a block: its definition and everything that is particular to it.
#pragma once

#include "core/ablation.h"
#include "core/block.h"
#include "core/generator.h"
#include "core/oracle.h"
#include "core/place.h"
#include "core/relation.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace deformdiff {

/// The oracle of an elementary operation, by its name and the dtype that it computes in.
using Operations = const Oracle& (*)(const std::string& operation, DType dtype);

/// A valid case that differs from `c` in a thing or two: a function of its arguments. Nothing where the key
/// leads to none. With `keeps_sizes` no extent changes.
using Mutate = std::function<std::optional<Case>(const Case& c, std::uint64_t key, bool keeps_sizes)>;

/// Pointers are to objects that outlive the program's work.
struct BlockEntry {
  const Block* block;
  Operations operations;  ///< of the block's stages
  const Generator* generator;
  Shrinks shrinks;
  Places places = axis_places;           ///< of elements of outputs and of stages' values
  Ablations ablations{};                 ///< beside those that any block has
  Mutate mutate = {};                    ///< may be empty
  const Relations* relations = nullptr;  ///< between answers; null where none are known
};

}  // namespace deformdiff
