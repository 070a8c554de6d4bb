// What the engine is told of a block: its definition and everything that is particular to it.
#pragma once

#include "core/ablation.h"
#include "core/block.h"
#include "core/generator.h"
#include "core/oracle.h"
#include "core/place.h"

#include <string>

namespace deformdiff {

/// The oracle of an elementary operation, by its name and the dtype that it computes in.
using Operations = const Oracle& (*)(const std::string& operation, DType dtype);

/// Pointers are to objects that outlive the program's work.
struct BlockEntry {
  const Block* block;
  Operations operations;  ///< of the block's stages
  const Generator* generator;
  Shrinks shrinks;
  Places places = axis_places;  ///< of elements of outputs and of stages' values
  Ablations ablations{};        ///< beside those that any block has
};

}  // namespace deformdiff
