#include "core/telling.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

std::string reason(const Tally& tally, const TellingRule& rule, std::string_view elements = "elements") {
  Reference reference;
  reference.vacuous = "not asked yet";
  tell(tally, rule, reference, elements);
  EXPECT_EQ(reference.telling_elements, tally.telling);
  EXPECT_EQ(reference.total_elements, tally.total);
  return reference.vacuous;
}

TEST(Telling, EveryReasonIsSaid) {
  EXPECT_EQ(reason({}, kDerivedSets), "the output is empty");
  EXPECT_EQ(reason({0, 5, 0, 5}, kDerivedSets), "every expected output is zero");
  EXPECT_EQ(reason({0, 5, 5, 5}, kDerivedSets),
            "no element's admissible set is narrow enough to show a fault");
  EXPECT_EQ(reason({1, 101, 200, 300}, kDerivedSets),
            "only 1 of the 101 elements have an admissible set narrow enough to show a fault");
  EXPECT_EQ(reason({1, 101, 200, 300}, kDerivedSets, "elements that sampling reaches"),
            "only 1 of the 101 elements that sampling reaches have an admissible set narrow enough to show "
            "a fault");
  EXPECT_EQ(reason({0, 5, 5, 5}, kEstimatedSets),
            "only 0 of 5 elements have an estimated set narrow enough to show a fault");
}

TEST(Telling, LeastSharesSuffice) {
  EXPECT_EQ(reason({1, 100, 1, 1000}, kDerivedSets), "");
  EXPECT_EQ(reason({2, 4, 4, 4}, kEstimatedSets), "");
  EXPECT_NE(reason({2, 5, 5, 5}, kEstimatedSets), "");
}

TEST(Telling, TalliesAddUp) {
  Tally sum{1, 2, 3, 4}, other;
  other.count(true, true, false);
  other.count(false, true, true);
  sum += other;
  EXPECT_EQ(sum.telling, 2);
  EXPECT_EQ(sum.reached, 4);
  EXPECT_EQ(sum.nonzero, 4);
  EXPECT_EQ(sum.total, 6);
}

}  // namespace
}  // namespace deformdiff
