#include "engine/relation_judge.h"

#include "engine/judge.h"
#include "engine/related_runner.h"
#include "engine/scripted_runner_test.h"
#include "engine/third_block_test.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Of output = x / 3: the elements in reverse order; half of each, and the first half of them and the rest,
/// which need two.
class ThirdRelations : public Relations {
 public:
  std::vector<RelationKind> kinds() const override {
    return {{"reversed", "x in reverse order"}, {"halved", "half of x"}, {"split", "x in two parts"}};
  }

  RelatedCases related(const Case& c) const override {
    RelatedCases related;
    related.degree = 1;
    related.steepest = {0};
    for (int step = 1; step <= 18; ++step) {
      related.line.push_back(
          with_each(c, [&](float x) { return x + 0.0005F * static_cast<float>(step * step) * x; }));
    }
    std::vector<float> backwards = numbers_of(c);
    std::ranges::reverse(backwards);
    const std::int64_t last = static_cast<std::int64_t>(backwards.size()) - 1;
    const auto reversed = [last](std::size_t, std::int64_t i) { return Found{last - i, 1}; };
    const auto twice = [](std::size_t, std::int64_t i) { return Found{i, 2}; };
    related.relations.push_back({"reversed", {{third_case(backwards), reversed}}, "", true});
    if (last > 0) {
      related.relations.push_back({"halved", {{with_each(c, [](float x) { return x / 2; }), twice}}, ""});
      const std::vector<float> all = numbers_of(c);
      const auto half = static_cast<std::ptrdiff_t>(all.size() / 2);
      related.relations.push_back({"split",
                                   {{third_case({all.begin(), all.begin() + half}),
                                     [half](std::size_t, std::int64_t i) {
                                       return i < half ? Found{i, 1} : Found{};
                                     }},
                                    {third_case({all.begin() + half, all.end()}),
                                     [half](std::size_t, std::int64_t i) {
                                       return i < half ? Found{} : Found{i - half, 1};
                                     }}},
                                   ""});
    } else {
      related.relations.push_back({"halved", {}, "one element"});
      related.relations.push_back({"split", {}, "one element"});
    }
    return related;
  }

 private:
  template <typename Map>
  static Case with_each(const Case& c, const Map& map) {
    std::vector<float> numbers = numbers_of(c);
    for (float& number : numbers) number = map(number);
    return third_case(numbers);
  }
};

const BlockEntry& related_third() {
  static const ThirdRelations relations;
  static const BlockEntry entry = [] {
    BlockEntry with_relations = third();
    with_relations.relations = &relations;
    return with_relations;
  }();
  return entry;
}

/// x / 3 in steps of 1/64, as a type of few bits has it; element i times `factor(i)`.
Outcome in_steps(const Case& c, const std::function<float(std::size_t)>& factor = {}) {
  Outcome outcome = thirds(c);
  std::vector<float> values;
  for (std::size_t i = 0; i < numbers_of(c).size(); ++i) {
    const float value = numbers_of(c)[i] / 3 * (factor ? factor(i) : 1);
    values.push_back(std::round(value * 64) / 64);
  }
  outcome.outputs.front().tensor = Tensor::of<float>(DType::kFloat32, c.input("x").shape(), values);
  return outcome;
}

/// Judges a subject without a bound, in a worker of its own.
Judgement judged(const Script& script, const Case& c, const BlockEntry& entry = related_third(),
                 const std::string& supports = "") {
  ScriptedSubject scripted("third", script);
  SubjectSpec spec = scripted.spec();
  spec.declare = [supports](SubjectInfo& info) {
    info.bound = Bound::kNone;
    info.supports = supports;
  };
  spec.make_runner = [inner = spec.make_runner, declare = spec.declare, &entry](const WorkerCommand& command,
                                                                                const RunLimits& limits) {
    return related_runner(inner(command, limits), declare,
                          [&entry](const std::string&) -> const BlockEntry& { return entry; });
  };
  Subject subject = open_subject(std::move(spec), {});
  return judge_case(subject, entry, c, {}, {});
}

const Case kCase = third_case({10, 7, 5, 11});

Outcome right(const Case& c, std::span<const Case>) {
  return in_steps(c);
}

TEST(Relations, RightCodeOfFewBitsAgreesByEstimate) {
  const Comparison comparison = judged(right, kCase).comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kAgree) << comparison.reason;
  EXPECT_TRUE(comparison.estimated);
  EXPECT_LT(comparison.ratio, 0.5);
  EXPECT_EQ(comparison.relations,
            (std::map<std::string, bool>{{"halved", true}, {"reversed", true}, {"split", true}}));
}

TEST(Relations, ABrokenOneIsNamedWithBothSides) {
  const auto wrong_last = [](const Case& c, std::span<const Case>) {
    return in_steps(c, [](std::size_t i) { return i == 3 ? 2.0F : 1.0F; });
  };
  const Judgement judgement = judged(wrong_last, kCase);
  const Comparison& comparison = judgement.comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kBrokenRelation);
  EXPECT_EQ(judgement.signature.element_class, "reversed");
  EXPECT_EQ(judgement.signature.output, "output");
  EXPECT_EQ(comparison.violating, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(comparison.violating_classes, (std::set<std::string>{"reversed", "split"})) << "halved holds";
  EXPECT_GT(comparison.ratio, 1);
  EXPECT_NE(comparison.reason.find("reversed: output[3] = 7.328125, but 3.671875 from x in reverse order"),
            std::string::npos)
      << comparison.reason;
}

TEST(Relations, OtherLinesThanItsOwnNoiseAllowsAreBroken) {
  const auto clamped = [](const Case& c, std::span<const Case>) {
    Outcome outcome = thirds(c);
    std::vector<float> values = numbers_of(c);
    for (float& value : values) value = std::min(value / 3, 1.0F);
    outcome.outputs.front().tensor = Tensor::of<float>(DType::kFloat32, c.input("x").shape(), values);
    return outcome;
  };
  EXPECT_EQ(judged(clamped, kCase).signature.element_class, "halved");
}

TEST(Relations, WhatARelatedCaseComesToIsAVerdict) {
  const auto dies_on_the_reverse = [](const Case& c, std::span<const Case>) {
    if (numbers_of(c) == std::vector<float>{11, 5, 7, 10})
      return outcome_of(Outcome::Kind::kCrashed, "signal 11");
    return in_steps(c);
  };
  const Comparison comparison = judged(dies_on_the_reverse, kCase).comparison;
  EXPECT_EQ(comparison.verdict, Verdict::kCrashed);
  EXPECT_EQ(comparison.reason, "reversed: signal 11");
}

TEST(Relations, NumbersThatAreNotFiniteAreFoundAgain) {
  const Case c = third_case({10, kNan, 5, 11});
  const Comparison agrees = judged(right, c).comparison;
  EXPECT_EQ(agrees.verdict, Verdict::kAgree) << agrees.reason;
  EXPECT_EQ(agrees.relations,
            (std::map<std::string, bool>{{"halved", false}, {"reversed", true}, {"split", false}}))
      << "only what rearranges says something of them";

  const auto drops_second = [](const Case& given, std::span<const Case>) {
    return in_steps(given, [&](std::size_t i) {
      return i == 1 && std::isnan(numbers_of(given)[i]) ? std::numeric_limits<float>::infinity() : 1.0F;
    });
  };
  EXPECT_EQ(judged(drops_second, c).comparison.verdict, Verdict::kAgree) << "NaN times infinity is NaN";
  const auto zero_for_nan = [](const Case& given, std::span<const Case>) {
    std::vector<float> numbers = numbers_of(given);
    if (std::isnan(numbers[1])) numbers[1] = 0;
    return in_steps(third_case(numbers));
  };
  EXPECT_EQ(judged(zero_for_nan, c).comparison.verdict, Verdict::kBrokenRelation);
}

TEST(Relations, WhereNoneIsJudgedTheCaseIsVacuous) {
  const auto reason = [](const Judgement& judgement) {
    EXPECT_EQ(judgement.comparison.verdict, Verdict::kVacuous);
    return judgement.comparison.reason;
  };
  EXPECT_EQ(reason(judged(right, third_case({kNan, kNan}), third())), "no relations of the block are known");
  EXPECT_EQ(reason(judged(right, third_case({0, 0}))), "every expected output is zero");
  const auto coin = [](const Case& c, std::span<const Case> before) {
    return in_steps(c, [&](std::size_t i) { return (before.size() + i) % 3 == 0 ? 0.0F : 1.0F; });
  };
  EXPECT_EQ(reason(judged(coin, kCase)),
            "only 0 of 4 elements have an estimated set narrow enough to show a fault");
}

TEST(Relations, CasesOutsideTheDeclarationAreNotGiven) {
  ThirdRelations relations;
  std::size_t given = 0;
  const auto counts = [&](const Case& c, std::span<const Case>) {
    ++given;
    return in_steps(c);
  };
  judged(counts, kCase, related_third(), "N==4");
  const std::size_t parts = 2;
  EXPECT_EQ(given, 1 + cases_of(relations.related(kCase)).size() - parts);
  given = 0;
  const Judgement refused = judged(counts, kCase, related_third(), "N==5");
  EXPECT_EQ(refused.comparison.verdict, Verdict::kUnsupported);
  EXPECT_EQ(given, 0U);
}

TEST(Relations, WhatAnswersNoOtherCasesIsVacuous) {
  const Comparison comparison = judge_relations(related_third(), kCase, thirds(kCase), {}, false);
  EXPECT_EQ(comparison.verdict, Verdict::kVacuous);
  EXPECT_EQ(comparison.reason, "it answers no other cases");
}

}  // namespace
}  // namespace deformdiff
