// Interface of the trusted evaluation of an elementary operation, which has one output. Implementations are
// in oracles/; the engine knows only this.
#pragma once

#include "core/case.h"
#include "core/precision.h"
#include "core/reference.h"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

/// Where and why an element's bound is what it is, for people.
struct Explanation {
  std::vector<std::pair<std::string, double>> terms;  ///< of the bound, largest first; they add up to it
  std::vector<std::string> lines;  ///< e.g. each sampling point: level, pixel coordinate, cell, weights
};

class Oracle {
 public:
  virtual ~Oracle() = default;

  /// The admissible answers to a valid case. Uses up to `threads` threads; thread-safe.
  virtual Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                             int threads) const = 0;

  /// Takes apart the bound of row-major element `element` of the output.
  virtual Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                              std::int64_t element) const = 0;

  /// Whether the declared autocast rounds the operation's operands to 16 bits.
  virtual bool casts_operands(const Precision&) const { return false; }

  /// Classes of elements for signatures, one each: "interior", "border", "outside" or "nonfinite".
  virtual std::vector<std::string> element_classes(const Case& c,
                                                   std::span<const std::int64_t> elements) const = 0;
};

}  // namespace deformdiff
