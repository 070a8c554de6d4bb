#include "engine/reducer.h"

#include "engine/case_hash.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Numbers = std::vector<std::int64_t>;

Case case_of(const Numbers& numbers) {
  Case c;
  c.block = "fake";
  c.inputs = {
      {"x", Tensor::of<std::int64_t>(DType::kInt64, {static_cast<std::int64_t>(numbers.size())}, numbers)}};
  return c;
}

Numbers numbers_of(const Case& c) {
  const auto values = c.input("x").values<std::int64_t>();
  return {values.begin(), values.end()};
}

CaseStream stream_of(std::vector<Numbers> list) {
  return [list = std::move(list), at = std::size_t{0}]() mutable -> std::optional<Case> {
    if (at == list.size()) return std::nullopt;
    return case_of(list[at++]);
  };
}

/// Halves, then single elements dropped, then elements to zero, then minus one.
CaseStream smaller_lists(const Case& c) {
  const Numbers numbers = numbers_of(c);
  std::vector<Numbers> list;
  if (numbers.size() > 1) {
    const auto half = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
    list.emplace_back(numbers.begin(), half);
    list.emplace_back(half, numbers.end());
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Numbers dropped = numbers;
    dropped.erase(dropped.begin() + static_cast<std::ptrdiff_t>(i));
    list.push_back(dropped);
  }
  for (const bool to_zero : {true, false}) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] == 0) continue;
      Numbers lowered = numbers;
      lowered[i] = to_zero ? 0 : numbers[i] - 1;
      list.push_back(lowered);
    }
  }
  return stream_of(list);
}

Numbers many(std::int64_t count) {
  Numbers numbers(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = i;
  return numbers;
}

/// What becomes of a failure that needs a single call.
struct OneCase : Reduction {
  Case smallest;
};

OneCase reduce_one(const Case& original, const Shrinks& shrinks,
                   const std::function<bool(const Case&)>& still_fails, const ReductionBudget& budget,
                   const std::function<void(const Case&)>& on_smaller) {
  Reduction reduction = reduce(
      {original}, shrinks, [&](const Calls& candidate) { return still_fails(candidate.back()); }, budget,
      [&](const Calls& smaller) {
        if (on_smaller) on_smaller(smaller.back());
      });
  const Case smallest = reduction.smallest.back();
  return {std::move(reduction), smallest};
}

TEST(Reducer, ReachesTheOneElementThatMatters) {
  const auto has_37 = [](const Case& c) {
    const Numbers numbers = numbers_of(c);
    return std::any_of(numbers.begin(), numbers.end(), [](auto x) { return x >= 37; });
  };
  const OneCase result = reduce_one(case_of(many(64)), smaller_lists, has_37, {}, {});
  EXPECT_EQ(numbers_of(result.smallest), Numbers{37});
  EXPECT_TRUE(result.minimal);
  EXPECT_LT(result.evaluations, 80);
}

TEST(Reducer, TheCertificateIsEveryStepOfTheSmallest) {
  std::vector<Numbers> tried;
  const auto sum_is_ten = [&](const Case& c) {
    tried.push_back(numbers_of(c));
    std::int64_t sum = 0;
    for (const auto x : tried.back()) sum += x;
    return sum >= 10;
  };
  const OneCase result = reduce_one(case_of({3, 4, 5, 6}), smaller_lists, sum_is_ten, {}, {});
  EXPECT_TRUE(result.minimal);
  EXPECT_EQ(static_cast<std::size_t>(result.evaluations + result.certificate_evaluations), tried.size());
  const CaseStream steps = smaller_lists(result.smallest);
  while (const auto step = steps()) {
    EXPECT_NE(std::find(tried.begin(), tried.end(), numbers_of(*step)), tried.end());
  }
}

TEST(Reducer, NeverTriesACaseTwice) {
  std::set<Numbers> tried;
  const auto once = [&](const Case& c) {
    EXPECT_TRUE(tried.insert(numbers_of(c)).second);
    return numbers_of(c).size() >= 3;
  };
  reduce_one(case_of({1, 1, 1, 2, 2, 1}), smaller_lists, once, {}, {});
}

TEST(Reducer, EndsWhereShrinksGoInCircles) {
  const auto ping_pong = [](const Case& c) { return stream_of({{1 - numbers_of(c).front()}}); };
  const OneCase result = reduce_one(case_of({0}), ping_pong, [](const Case&) { return true; }, {}, {});
  EXPECT_EQ(result.evaluations, 1);
  EXPECT_TRUE(result.minimal);
}

TEST(Reducer, KeepsTheOriginalIfNothingSmallerFails) {
  const OneCase result =
      reduce_one(case_of({5, 6}), smaller_lists, [](const Case&) { return false; }, {}, {});
  EXPECT_EQ(numbers_of(result.smallest), (Numbers{5, 6}));
  EXPECT_EQ(result.evaluations, 0);
  EXPECT_EQ(result.certificate_evaluations, 6);
  EXPECT_TRUE(result.minimal);
}

TEST(Reducer, StopsAtTheBudgetWithTheBestSoFar) {
  std::int64_t runs = 0;
  const auto always = [&](const Case&) {
    ++runs;
    return true;
  };
  const auto minus_one = [](const Case& c) { return stream_of({{numbers_of(c).front() - 1}}); };
  const OneCase result = reduce_one(case_of({1000}), minus_one, always, {60, 10}, {});
  EXPECT_EQ(runs, 10);
  EXPECT_EQ(result.evaluations, 10);
  EXPECT_FALSE(result.minimal);
  EXPECT_EQ(numbers_of(result.smallest), Numbers{990});
}

TEST(Reducer, ACertificateMayOutlastTheBudget) {
  const auto all_three = [](const Case& c) { return numbers_of(c) == Numbers{1, 2, 3, 4}; };
  const auto shrinks = [](const Case& c) {
    return numbers_of(c).size() == 5 ? stream_of({{1, 2, 3, 4}}) : smaller_lists(c);
  };
  const OneCase result = reduce_one(case_of({1, 2, 3, 4, 5}), shrinks, all_three, {60, 5}, {});
  EXPECT_EQ(result.evaluations, 1);
  EXPECT_GT(result.certificate_evaluations, 5);
  EXPECT_TRUE(result.minimal);
}

TEST(Reducer, NoTimeMeansNoTries) {
  const auto fails = [](const Case&) -> bool { throw std::logic_error("tried"); };
  const OneCase result = reduce_one(case_of({1, 2}), smaller_lists, fails, {0, 100}, {});
  EXPECT_FALSE(result.minimal);
  EXPECT_EQ(numbers_of(result.smallest), (Numbers{1, 2}));
}

TEST(Reducer, TellsOfEachSmallerCase) {
  std::vector<Numbers> told;
  const auto long_enough = [](const Case& c) { return numbers_of(c).size() >= 2; };
  const OneCase result = reduce_one(case_of(many(8)), smaller_lists, long_enough, {},
                                    [&](const Case& c) { told.push_back(numbers_of(c)); });
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front(), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(told.back(), numbers_of(result.smallest));
  EXPECT_EQ(told.back(), (Numbers{0, 0}));
}

TEST(ReduceCalls, ShrinksTogetherAndDropsWhatDoesNotMatter) {
  // Fails if the call before has the same length: a result that is wrongly remembered by shape.
  const auto same_length = [](const Calls& calls) {
    return calls.size() >= 2 && numbers_of(calls[calls.size() - 2]).size() == numbers_of(calls.back()).size();
  };
  const Calls calls{case_of({7}), case_of({1, 2, 3, 4}), case_of({5, 6, 7, 8})};
  const Reduction result = reduce(calls, smaller_lists, same_length, {}, {});
  ASSERT_EQ(result.smallest.size(), 2U);
  EXPECT_TRUE(result.minimal);
  EXPECT_LE(numbers_of(result.smallest.front()).size(), 1U);
  EXPECT_EQ(numbers_of(result.smallest.front()).size(), numbers_of(result.smallest.back()).size());
}

TEST(ReduceCalls, CallsThatOnlyHaveToBeMadeBecomeOneProblem) {
  const auto third = [](const Calls& calls) {
    return calls.size() == 3 && !numbers_of(calls.back()).empty() && numbers_of(calls.back())[0] > 2;
  };
  const Calls calls{case_of({7}), case_of({1, 2, 3, 4}), case_of({5, 6})};
  const Reduction result = reduce(calls, smaller_lists, third, {}, {});
  ASSERT_EQ(result.smallest.size(), 3U);
  EXPECT_TRUE(result.minimal);
  for (const Case& call : result.smallest) EXPECT_EQ(numbers_of(call), numbers_of(result.smallest.back()));
  EXPECT_EQ(numbers_of(result.smallest.back()).size(), 1U);
}

TEST(ReduceCalls, NeverDropsTheLast) {
  const auto always = [](const Calls& calls) {
    EXPECT_FALSE(calls.empty());
    return true;
  };
  const auto none = [](const Case&) { return stream_of({}); };
  const Reduction result = reduce({case_of({1}), case_of({2})}, none, always, {}, {});
  ASSERT_EQ(result.smallest.size(), 1U);
  EXPECT_EQ(numbers_of(result.smallest.front()), Numbers{2});
}

TEST(ContentHash, SeesEverythingButTheProvenance) {
  const Case c = case_of({1, 2});
  Case other = c;
  other.provenance.generator = "shrunk";
  EXPECT_EQ(content_hash(c), content_hash(other));
  other.attributes["step"] = 1;
  EXPECT_NE(content_hash(c), content_hash(other));
  EXPECT_NE(content_hash(c), content_hash(case_of({2, 1})));
  EXPECT_NE(content_hash(case_of({0})), content_hash(case_of({0, 0})));
}

}  // namespace
}  // namespace deformdiff
