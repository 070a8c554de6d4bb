// The relations that blocks declare hold: of what the oracles answer, within their bounds.
#include "catalog/catalog.h"
#include "engine/answer_noise.h"
#include "engine/estimate.h"
#include "engine/expected.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Input roundings of moved points are of the size of those that a bound holds.
constexpr double kRoundings = 4;

bool is_finite(const Case& c) {
  return std::ranges::all_of(c.inputs, [](const NamedTensor& input) {
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) {
      if (!std::isfinite(input.tensor.element(i))) return false;
    }
    return true;
  });
}

/// Small finite cases of the block, in float64.
std::vector<Case> small_cases(const BlockEntry& entry) {
  constexpr std::int64_t kSmall = 3000;
  std::vector<Case> cases;
  for (std::uint64_t i = 0; i < 60; ++i) {
    Case c = entry.generator->generate({1, {"exact", "adversarial"}, ""}, i);
    if (element_count(c) > kSmall || !is_finite(c)) continue;
    cases.push_back(entry.block->converted(std::move(c), DType::kFloat64));
  }
  return cases;
}

struct Answer {
  std::vector<OutputReference> outputs;
};

Answer answer_of(const BlockEntry& entry, const Case& c) {
  entry.block->validate(c);
  Answer answer;
  for (const StageReference& stage : expected_outputs(entry, c, {}, 2))
    answer.outputs.push_back(stage.reference->outputs.front());
  return answer;
}

/// Whether a single interval holds it.
bool is_plain(const OutputReference& output, std::size_t i) {
  const bool one = std::ranges::none_of(output.alternatives, [&](const Alternative& other) {
    return other.element == static_cast<std::int64_t>(i);
  });
  return one && std::isfinite(output.bound[i]) &&
         (output.admits.empty() || output.admits[i] == kAdmitsFinite);
}

void expect_holds(const Relation& relation, const RelatedCases& related, const Answer& own,
                  const std::vector<Answer>& terms) {
  for (std::size_t output = 0; output < own.outputs.size(); ++output) {
    const OutputReference& left = own.outputs[output];
    for (std::size_t i = 0; i < left.value.size(); ++i) {
      const auto element = static_cast<std::int64_t>(i);
      if (!is_plain(left, i) || (related.is_continuous && !related.is_continuous(output, element))) continue;
      double sum = 0, bound = left.bound[i];
      bool plain = true;
      for (std::size_t t = 0; t < terms.size(); ++t) {
        const Found found = relation.terms[t].find(output, element);
        if (found.element < 0) continue;
        const auto at = static_cast<std::size_t>(found.element);
        const OutputReference& other = terms[t].outputs[output];
        ASSERT_LT(at, other.value.size()) << relation.name;
        plain = plain && is_plain(other, at);
        sum += found.factor * other.value[at];
        bound += std::fabs(found.factor) * other.bound[at];
      }
      if (!plain) continue;
      ASSERT_LE(std::fabs(left.value[i] - sum), kRoundings * bound)
          << relation.name << " of " << left.name << " " << i;
    }
  }
}

class EachBlock : public testing::TestWithParam<const char*> {};

TEST_P(EachBlock, EveryRelationAppliesSomewhereAndHolds) {
  const BlockEntry& entry = find_block(GetParam());
  std::set<std::string> applied, known;
  for (const RelationKind& kind : entry.relations->kinds()) known.insert(kind.name);
  for (const Case& c : small_cases(entry)) {
    const Answer own = answer_of(entry, c);
    const RelatedCases related = entry.relations->related(c);
    ASSERT_EQ(related.relations.size(), known.size());
    for (const Relation& relation : related.relations) {
      EXPECT_EQ(relation.terms.empty(), !relation.not_applicable.empty()) << relation.name;
      if (relation.terms.empty()) continue;
      applied.insert(relation.name);
      std::vector<Answer> terms;
      for (const RelationTerm& term : relation.terms) terms.push_back(answer_of(entry, term.problem));
      expect_holds(relation, related, own, terms);
    }
  }
  EXPECT_EQ(applied, known);
}

TEST_P(EachBlock, ExactAnswersOnTheLineArePolynomials) {
  const BlockEntry& entry = find_block(GetParam());
  std::size_t checked = 0;
  for (const Case& c : small_cases(entry)) {
    const RelatedCases related = entry.relations->related(c);
    std::vector<Answer> answers;
    for (const Case& each : related.line) answers.push_back(answer_of(entry, each));
    for (std::size_t output = 0; output < answers.front().outputs.size(); ++output) {
      std::vector<Tensor> middles;
      for (const Answer& answer : answers) middles.push_back(middle_of(answer.outputs[output]));
      std::vector<const Tensor*> pointers;
      for (const Tensor& middle : middles) pointers.push_back(&middle);
      const AnswerNoise noise(pointers, related.degree);
      for (std::size_t i = 0; i < answers.front().outputs[output].value.size(); ++i) {
        double bound = 0;
        bool plain = true;
        for (const Answer& answer : answers) {
          plain = plain && is_plain(answer.outputs[output], i);
          bound = std::max(bound, answer.outputs[output].bound[i]);
        }
        if (!plain) continue;
        ASSERT_LE(noise.at(i), kRoundings * bound) << answers.front().outputs[output].name << " " << i;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 1000U);
}

INSTANTIATE_TEST_SUITE_P(Relations, EachBlock, testing::Values("ms_deform_attn", "ms_deform_attn_backward"));

}  // namespace
}  // namespace deformdiff
