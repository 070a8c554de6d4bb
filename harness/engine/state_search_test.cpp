#include "engine/state_search.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

const auto kAlways = [] { return true; };

/// Fails if all of `needed` are among the calls.
auto needs(const CallPositions& needed) {
  return [needed](const CallPositions& calls) {
    return std::includes(calls.begin(), calls.end(), needed.begin(), needed.end());
  };
}

TEST(FindEarlierCalls, NothingWithoutCalls) {
  EXPECT_FALSE(find_earlier_calls(0, needs({}), kAlways));
}

TEST(FindEarlierCalls, NothingIfNoneBringsItBack) {
  int runs = 0;
  const auto never = [&](const CallPositions&) {
    ++runs;
    return false;
  };
  EXPECT_FALSE(find_earlier_calls(100, never, kAlways));
  EXPECT_EQ(runs, 8);  // 1, 2, 4, ... 64, 100
}

TEST(FindEarlierCalls, TheCallJustBeforeTakesOneRun) {
  int runs = 0;
  const auto fails = [&](const CallPositions& calls) {
    ++runs;
    return calls.back() == 99;
  };
  EXPECT_EQ(find_earlier_calls(100, fails, kAlways), CallPositions{99});
  EXPECT_EQ(runs, 1);
}

TEST(FindEarlierCalls, StopsWhenToldWithTheBestSoFar) {
  int runs = 0;
  const auto found = find_earlier_calls(64, needs({3}), [&] { return ++runs <= 8; });
  ASSERT_TRUE(found);
  EXPECT_TRUE(needs({3})(*found));
  EXPECT_GT(found->size(), 1U);
}

RC_GTEST_PROP(FindEarlierCallsProperty, FindsExactlyTheCallsThatMatter, ()) {
  const auto available = *rc::gen::inRange<std::size_t>(1, 300);
  auto needed =
      *rc::gen::nonEmpty(rc::gen::container<CallPositions>(rc::gen::inRange<std::size_t>(0, available)));
  std::sort(needed.begin(), needed.end());
  needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
  RC_ASSERT(find_earlier_calls(available, needs(needed), kAlways) == std::optional(needed));
}

}  // namespace
}  // namespace deformdiff
