// What the engine is told of a block: its definition and everything that is particular to it.
#pragma once

#include "core/block.h"
#include "core/generator.h"
#include "core/oracle.h"

namespace deformdiff {

/// Pointers are to objects that outlive the program's work.
struct BlockEntry {
  const Block* block;
  const Oracle* oracle;
  const Generator* generator;
  Shrinks shrinks;
};

}  // namespace deformdiff
