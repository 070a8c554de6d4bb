#include "core/comma_list.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Parts = std::vector<std::string>;

TEST(CommaList, SplitsAtEachCommaAndPassesOverOneAtTheEnd) {
  EXPECT_EQ(split_at_commas("a,b,c"), (Parts{"a", "b", "c"}));
  EXPECT_EQ(split_at_commas("a"), Parts{"a"});
  EXPECT_EQ(split_at_commas(",a,,b,"), (Parts{"", "a", "", "b"}));
  EXPECT_EQ(split_at_commas(","), Parts{""});
  EXPECT_EQ(split_at_commas(""), Parts{});
}

}  // namespace
}  // namespace deformdiff
