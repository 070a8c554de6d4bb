// Relations between answers that hold whatever the arithmetic is: what a block says of cases that can be made
// from a case. The engine runs them and knows only this. Method and tolerance: oracles/README.md, rule 8.
#pragma once

#include "core/case.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace deformdiff {

/// Where the answer to another case has what one element of an answer is made of.
struct Found {
  std::int64_t element = -1;  ///< row-major, of the same output; -1: nothing of it is there
  double factor = 1;
};

/// An answer to another case, as a part of what the answer to the first one should be.
struct RelationTerm {
  Case problem;  ///< valid, of the same block
  /// Of row-major element `element` of output number `output` of the first case.
  std::function<Found(std::size_t output, std::int64_t element)> find;
  double noise = 1;  ///< how many times the rounding errors of the first case's answer its own may be
};

/// In exact arithmetic each element of the answer is the sum, over the terms, of factor times element.
struct Relation {
  std::string name;                 ///< "permuted_heads", ...
  std::vector<RelationTerm> terms;  ///< empty where it does not apply to the case
  std::string not_applicable;       ///< why it does not
  /// The same numbers are worked on together, wherever they stand: NaN and infinities are found again.
  bool rearranges = false;
  /// Numbers are rounded on the way to its terms, or what is made of them is rounded otherwise: as in
  /// `nudged`.
  bool rounds = false;
};

/// The cases made from one case.
struct RelatedCases {
  /// Cases on a line away from the case, 1, 4, 9, ... far, in all its floating inputs at once: each element
  /// of their exact answers is a polynomial of this degree.
  std::vector<Case> line;
  int degree = 0;
  /// The case with a rounding, each way, of what relations that round change.
  std::vector<Case> nudged;
  /// The most that a nudge changes an element of an exact answer, by output: what changes it more is no
  /// rounding.
  std::vector<double> steepest;
  std::vector<Relation> relations;
  /// Whether an element's exact answer is continuous in the inputs around the case: others are not judged.
  /// Empty: all are.
  std::function<bool(std::size_t output, std::int64_t element)> is_continuous;
};

/// A relation, for people.
struct RelationKind {
  std::string name;
  std::string description;
};

/// Of a block. Implementations are in blocks/.
class Relations {
 public:
  virtual ~Relations() = default;

  /// In the order in which they are judged: of several that are broken the first is named.
  virtual std::vector<RelationKind> kinds() const = 0;

  /// Of a valid case, and a function of it alone: one Relation a kind, in order.
  virtual RelatedCases related(const Case& c) const = 0;
};

}  // namespace deformdiff
