// The stream of cases of any deep block.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"
#include "core/random.h"
#include "generators/staged/sketch.h"
#include "generators/staged/triggers.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deformdiff {

/// Tiers typical, adversarial, degenerate. What is particular to a block is how a sketch is adapted to it:
/// see attention_layer_gen.cpp and its like. `block` must outlive the generator.
class StagedGenerator : public Generator {
 public:
  explicit StagedGenerator(
      const BlockDefinition& block, Adapt adapt = [](Sketch&, Draw&) {});

  std::vector<Tier> tiers() const override;
  std::vector<TriggerClass> triggers() const override;
  Case generate(std::uint64_t seed, const std::vector<std::string>& tiers,
                std::uint64_t index) const override;
  std::vector<std::string> triggers_hit(const Case& c) const override;

 private:
  const BlockDefinition& block_;
  Adapt adapt_;
  StagedTriggers triggers_;
};

/// Tensors for a sketch, contiguous, of elements from `random`.
Case fill_sketch(const BlockDefinition& block, const Sketch& sketch, const CounterRandom& random);

}  // namespace deformdiff
