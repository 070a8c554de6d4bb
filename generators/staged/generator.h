// The stream of cases of any deep block.
#pragma once

#include "blocks/block_definition.h"
#include "core/generator.h"
#include "core/random.h"
#include "generators/staged/sketch.h"
#include "generators/staged/triggers.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// Tiers typical, adversarial, degenerate. What is particular to a block is how a sketch is adapted to it:
/// models/adaptations.h. `block` must outlive the generator.
class DeepGenerator : public Generator {
 public:
  explicit DeepGenerator(const BlockDefinition& block);

  const BlockDefinition& block() const { return block_; }
  std::vector<Tier> tiers() const override;
  std::vector<TriggerClass> triggers() const override;
  using Generator::generate;
  Case generate(const StreamChoice& choice, std::uint64_t index) const override;
  std::optional<Case> outline(const StreamChoice& choice, std::uint64_t index) const override;
  std::vector<std::string> triggers_hit(const Case& c) const override;

 private:
  const BlockDefinition& block_;
  Adapt adapt_;
  DeepTriggers triggers_;
};

/// Those of all deep blocks: of block_definitions() without the operator, in that order.
const std::deque<DeepGenerator>& deep_generators();

/// Tensors for a sketch, contiguous, of elements from `random`; in 16 bits those of float32, rounded.
Case fill_sketch(const BlockDefinition& block, const Sketch& sketch, const CounterRandom& random);

}  // namespace deformdiff
