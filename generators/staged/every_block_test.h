// Tests of every deep block.
#pragma once

#include "generators/staged/generator.h"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {

class EveryBlock : public testing::TestWithParam<const DeepGenerator*> {
 protected:
  const BlockDefinition& block() const { return generator().block(); }
  const DeepGenerator& generator() const { return *GetParam(); }
};

inline void PrintTo(const DeepGenerator* generator, std::ostream* out) {
  *out << generator->block().name();
}

inline std::vector<const DeepGenerator*> every_generator() {
  std::vector<const DeepGenerator*> generators;
  for (const DeepGenerator& generator : deep_generators()) generators.push_back(&generator);
  return generators;
}

inline std::string name_of_block(const testing::TestParamInfo<const DeepGenerator*>& info) {
  return info.param->block().name();
}

}  // namespace deformdiff
