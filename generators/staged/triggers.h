// What a case of a deep block can provoke, found by looking at the case.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"

#include <cstddef>
#include <string>
#include <vector>

namespace deformdiff {

/// The trigger classes that cases of one block can hit.
class DeepTriggers {
 public:
  explicit DeepTriggers(const BlockDefinition& block);

  std::vector<TriggerClass> classes() const;
  std::vector<std::string> hit(const Case& c) const;

 private:
  const BlockDefinition& block_;
  std::vector<std::size_t> rules_;
};

}  // namespace deformdiff
