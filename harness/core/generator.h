// Interfaces of case generation and shrinking. Implementations are in generators/; the engine knows only
// these.
#pragma once

#include "core/case.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

struct Tier {
  std::string name;
  int share;  ///< relative frequency in a run over all tiers; 0: only where it is named, and then as 1
  std::string description;
};

struct TriggerClass {
  std::string name;
  std::string description;
  std::string tier{};  ///< the one that reaches it, where none that is drawn unnamed does
};

/// Which stream of cases.
struct StreamChoice {
  std::uint64_t seed = 0;
  std::vector<std::string> tiers;  ///< names from tiers(); empty for all that have a share
  std::string only;  ///< conditions on sizes that every case meets: conditions.h; empty for none
};

class Generator {
 public:
  virtual ~Generator() = default;

  virtual std::vector<Tier> tiers() const = 0;
  virtual std::vector<TriggerClass> triggers() const = 0;

  /// Case `index` of the stream: a function of both alone, on every machine. Throws InputError for tiers and
  /// names of sizes that there are not, and where no case meets the conditions.
  virtual Case generate(const StreamChoice& choice, std::uint64_t index) const = 0;

  /// The sizes of case `index`: the same but that floating and boolean tensors repeat a zero, which takes no
  /// memory. Nothing where no conditions make a case large. Throws as generate() does.
  virtual std::optional<Case> outline(const StreamChoice&, std::uint64_t /*index*/) const { return {}; }

  Case generate(std::uint64_t seed, const std::vector<std::string>& tiers, std::uint64_t index) const {
    return generate({seed, tiers, {}}, index);
  }

  /// Names of the trigger classes that the case hits, found by looking at the case itself.
  virtual std::vector<std::string> triggers_hit(const Case& c) const = 0;
};

/// Pulls the next smaller case; nothing when there are no more.
using CaseStream = std::function<std::optional<Case>()>;

/// Smaller valid cases of the same block, best first. Knows nothing of any failure.
using Shrinks = std::function<CaseStream(const Case&)>;

}  // namespace deformdiff
