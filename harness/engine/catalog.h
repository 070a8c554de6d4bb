// What the engine is told of a block: its definition and everything that is particular to it.
#pragma once

#include "core/block.h"
#include "core/generator.h"
#include "core/oracle.h"

#include <string>

namespace deformdiff {

/// The oracle of an elementary operation, by its name.
using Operations = const Oracle& (*)(const std::string& operation);

/// Pointers are to objects that outlive the program's work.
struct BlockEntry {
  const Block* block;
  const Oracle* oracle;   ///< of the block as a whole; null where it is judged stage by stage
  Operations operations;  ///< of its stages; null where it has none
  const Generator* generator;
  Shrinks shrinks;

  bool has_stages() const { return operations != nullptr; }
};

}  // namespace deformdiff
