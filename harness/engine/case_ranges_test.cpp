#include "engine/case_ranges.h"

#include "core/error.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

CaseRanges of(const std::string& text) {
  return parse_case_ranges(text);
}

std::set<std::uint64_t> cases_of(const CaseRanges& ranges) {
  std::set<std::uint64_t> cases;
  for (const auto& [first, end] : ranges.ranges()) {
    for (std::uint64_t i = first; i < end; ++i) cases.insert(i);
  }
  return cases;
}

TEST(CaseRanges, AreAsFewAsCanBe) {
  CaseRanges ranges;
  ranges.add(0, 64);
  ranges.add(128, 192);
  ranges.add(192, 200);
  EXPECT_EQ(text_of(ranges), "0-63,128-199");
  ranges.add(60, 130);
  EXPECT_EQ(text_of(ranges), "0-199");
  EXPECT_EQ(ranges.size(), 200U);
}

TEST(CaseRanges, ReadBackAsWritten) {
  for (const char* text : {"", "7", "0-63,128-191,200"}) EXPECT_EQ(text_of(of(text)), text);
  for (const char* text : {"a", "1-", "-3", "5-2", "1-2-3"}) EXPECT_THROW(of(text), InputError) << text;
}

TEST(CaseRanges, SayWhereTheyEndAndGoOn) {
  const CaseRanges ranges = of("10-19,30-39");
  EXPECT_EQ(ranges.end_of(10), 20U);
  EXPECT_EQ(ranges.end_of(19), 20U);
  EXPECT_EQ(ranges.end_of(20), 20U);
  EXPECT_EQ(ranges.next_from(0), 10U);
  EXPECT_EQ(ranges.next_from(20), 30U);
  EXPECT_EQ(ranges.next_from(35), 35U);
  EXPECT_EQ(ranges.next_from(40), std::nullopt);
  EXPECT_TRUE(ranges.overlaps(of("19-25")));
  EXPECT_FALSE(ranges.overlaps(of("20-29")));
}

RC_GTEST_PROP(CaseRangesProperty, AddAndRemoveLikeSets, ()) {
  CaseRanges ranges;
  std::set<std::uint64_t> expected;
  const auto steps = *rc::gen::container<std::vector<std::tuple<bool, std::uint64_t, std::uint64_t>>>(
      rc::gen::tuple(rc::gen::arbitrary<bool>(), rc::gen::inRange<std::uint64_t>(0, 60),
                     rc::gen::inRange<std::uint64_t>(0, 60)));
  for (const auto& [adds, first, end] : steps) {
    adds ? ranges.add(first, end) : ranges.remove(first, end);
    for (std::uint64_t i = first; i < end; ++i) {
      if (adds) {
        expected.insert(i);
      } else {
        expected.erase(i);
      }
    }
    RC_ASSERT(cases_of(ranges) == expected);
    RC_ASSERT(ranges.size() == expected.size());
    RC_ASSERT(parse_case_ranges(text_of(ranges)) == ranges);
    for (std::uint64_t i = 0; i < 61; ++i) RC_ASSERT(ranges.contains(i) == expected.contains(i));
  }
}

}  // namespace
}  // namespace deformdiff
