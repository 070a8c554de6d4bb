#include "core/telling.h"

#include <string>

#include <fmt/format.h>

namespace deformdiff {
namespace {

std::string why_vacuous(const Tally& tally, const TellingRule& rule, std::string_view elements) {
  if (tally.total == 0) return "the output is empty";
  if (tally.nonzero == 0) return "every expected output is zero";
  if (tally.telling == 0 && !rule.estimated) {
    return "no element's admissible set is narrow enough to show a fault";
  }
  if (100 * tally.telling < rule.least_percent * tally.reached) {
    return fmt::format("only {} of {}{} {} have an {} set narrow enough to show a fault", tally.telling,
                       rule.estimated ? "" : "the ", tally.reached, elements,
                       rule.estimated ? "estimated" : "admissible");
  }
  return "";
}

}  // namespace

void Tally::count(bool tells, bool is_reached, bool is_nonzero) {
  telling += tells ? 1 : 0;
  reached += is_reached ? 1 : 0;
  nonzero += is_nonzero ? 1 : 0;
  ++total;
}

Tally& Tally::operator+=(const Tally& other) {
  telling += other.telling;
  reached += other.reached;
  nonzero += other.nonzero;
  total += other.total;
  return *this;
}

void tell(const Tally& tally, const TellingRule& rule, Reference& reference, std::string_view elements) {
  reference.telling_elements = tally.telling;
  reference.total_elements = tally.total;
  reference.vacuous = why_vacuous(tally, rule, elements);
}

}  // namespace deformdiff
