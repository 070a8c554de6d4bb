// The stream of cases that the operator and its backward share.
#pragma once

#include "core/generator.h"
#include "core/random.h"
#include "generators/ms_deform_attn/exact.h"
#include "generators/ms_deform_attn/locations.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Tier and extents of one case.
struct Plan {
  std::string tier;
  Sketch sketch;
  std::optional<LocationStyle> locations{};  ///< instead of those that the tier draws
};

/// Cases of `block`, which is one of blocks/ms_deform_attn.h: the operator's, unless what is virtual makes
/// others of them.
class OperatorGenerator : public Generator {
 public:
  explicit OperatorGenerator(const BlockDefinition& block);

  std::vector<Tier> tiers() const override;
  std::vector<TriggerClass> triggers() const override;
  Case generate(const StreamChoice& choice, std::uint64_t index) const override;
  std::optional<Case> outline(const StreamChoice& choice, std::uint64_t index) const override;
  std::vector<std::string> triggers_hit(const Case& c) const override;

 protected:
  /// What a case at this place of the stream is where tier adversarial is drawn from and no conditions speak
  /// of sizes; nothing where it is drawn like any other.
  virtual std::optional<Plan> turn(std::uint64_t index, Draw& draw) const;

  virtual ExactBudget budget(const Sketch& sketch) const;

  /// Makes of a valid case of the operator, whose tensors are contiguous and whose tier is written in it, one
  /// of the block.
  virtual void complete(Draw& draw, const CounterRandom& random, Case& c) const;

  /// The same of an outline, whose tensors repeat a zero.
  virtual void complete_outline(Case& c) const;

 private:
  struct Source;

  /// What a case shares with the one before it.
  enum class Sibling : std::uint8_t { kNone, kExtents, kTransposedExtents, kAllButOneInput };

  Source source_of(const StreamChoice& choice) const;
  Plan plan_of(const Source& source, std::uint64_t index) const;
  Case large(const Source& source, std::uint64_t index) const;
  Case ordinary(const Source& source, std::uint64_t index) const;
  Case drawn(const Source& source, std::uint64_t index, Sibling sibling) const;
  Case fill(const Plan& plan, Draw& draw, const CounterRandom& random) const;

  const BlockDefinition& block_;
  std::size_t inputs_;  ///< how many the block has
};

}  // namespace deformdiff::ms_deform_attn
