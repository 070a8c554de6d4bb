// Interface of a trusted evaluation. Implementations are in oracles/; the engine knows only this.
#pragma once

#include "core/case.h"
#include "core/precision.h"
#include "core/reference.h"

#include <cstdint>
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

  /// Takes apart the bound of row-major element `element` of output `output`.
  virtual Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                              const std::string& output, std::int64_t element) const = 0;

  /// Class of the element for signatures: "interior", "border", "outside" or "nonfinite".
  virtual std::string element_class(const Case& c, const std::string& output, std::int64_t element) const = 0;

  /// Bytes that evaluate() needs beyond the case itself.
  virtual std::int64_t memory(const Case& c) const = 0;
};

}  // namespace deformdiff
