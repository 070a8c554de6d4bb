#include "cli/explain_relation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

std::string shapes_text(const Case& c) {
  std::string text;
  for (const NamedTensor& input : c.inputs) {
    if (is_floating(input.tensor.dtype()))
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", input.name, to_string(input.tensor.shape()));
  }
  return text;
}

/// What a term has of the element; empty if nothing.
std::string term_text(const RelationTerm& term, const Outcome& answer, const Comparison& decided) {
  const auto named = std::ranges::find(answer.outputs, decided.output, &NamedTensor::name);
  if (named == answer.outputs.end()) return "";
  const auto output = static_cast<std::size_t>(named - answer.outputs.begin());
  const Found found = term.find(output, decided.element);
  if (found.element < 0) return "";
  const Tensor& tensor = named->tensor;
  return fmt::format("  {:g} * {} = {:.17g}, of {}\n", found.factor,
                     element_name(decided.output, tensor.shape(), found.element),
                     tensor.element(found.element), shapes_text(term.problem));
}

}  // namespace

std::string explain_relation(const Relations& relations, const Case& c, const Outcome& outcome,
                             const Comparison& decided) {
  const RelatedCases related = relations.related(c);
  const std::vector<RelationKind> kinds = relations.kinds();
  std::size_t next = related.line.size() + related.nudged.size();
  std::string text;
  for (const Relation& relation : related.relations) {
    if (relation.name != decided.element_class) {
      next += relation.terms.size();
      continue;
    }
    text += fmt::format(
        "relation  {}: {}\nelement   {}\nitself    {:.17g}\nrelated   {:.17g}, the sum of\n", relation.name,
        std::ranges::find(kinds, relation.name, &RelationKind::name)->description,
        element_name(decided.output, decided.shape, decided.element), decided.got, decided.wanted);
    for (const RelationTerm& term : relation.terms) text += term_text(term, outcome.related[next++], decided);
    break;
  }
  const double difference = std::fabs(decided.got - decided.wanted);
  if (std::isfinite(difference)) {
    text += fmt::format(
        "\nThey differ by {:.3g}, {:.3g} times what the implementation's own noise allows, {:.3g}.\n",
        difference, decided.ratio, decided.bound);
  }
  std::string others;
  for (const std::string& name : decided.violating_classes) {
    if (name != decided.element_class) others += (others.empty() ? "" : ", ") + name;
  }
  return others.empty() ? text : text + fmt::format("Also broken: {}.\n", others);
}

}  // namespace deformdiff::cli
