#include "blocks/extents.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Extents, AxesAreProductsOfNamesAndNumbers) {
  const std::vector<Factors> axes = parse_axes("B 3*M*D 2");
  ASSERT_EQ(axes.size(), 3U);
  EXPECT_EQ(axes[0], Factors{"B"});
  EXPECT_EQ(axes[1], (Factors{"3", "M", "D"}));
  EXPECT_EQ(axes[2], Factors{"2"});
  EXPECT_TRUE(parse_axes("").empty());
}

TEST(Extents, NamesTellWhatIsMeasured) {
  EXPECT_EQ(role_of("B"), ExtentRole::kBatch);
  EXPECT_EQ(role_of("Q"), ExtentRole::kLength);
  EXPECT_EQ(role_of("K"), ExtentRole::kLength);
  EXPECT_EQ(role_of("S"), ExtentRole::kPixels);
  EXPECT_EQ(role_of("H"), ExtentRole::kHeight);
  EXPECT_EQ(role_of("W12"), ExtentRole::kWidth);
  for (const char* name : {"M", "D", "Dd", "I0", "classes", "N", "Hd"}) {
    EXPECT_EQ(role_of(name), ExtentRole::kFixed) << name;
  }
}

TEST(Extents, AnAxisWithOneUnknownFactorIsSolvedByDivision) {
  ExtentSolver solver({{"M", 4}});
  EXPECT_TRUE(solver.learn("B S M*D", {2, 10, 32}));
  EXPECT_EQ(solver.extents(), (Extents{{"M", 4}, {"B", 2}, {"S", 10}, {"D", 8}}));
  EXPECT_FALSE(solver.learn("B S M*D", {2, 10, 32}));
  EXPECT_EQ(solver.mismatch("B S M*D", {2, 10, 32}), "");
}

TEST(Extents, TwoUnknownFactorsSayNothing) {
  ExtentSolver solver({});
  EXPECT_FALSE(solver.learn("M*D", {32}));
  EXPECT_EQ(solver.mismatch("M*D", {32}), "shape [32] found, [M*D] = [any] wanted");
}

TEST(Extents, AnEmptyAxisDoesNotTellItsOtherFactor) {
  ExtentSolver solver({{"B", 0}});
  EXPECT_FALSE(solver.learn("B*M", {0}));
  EXPECT_EQ(solver.extents(), (Extents{{"B", 0}}));
}

TEST(Extents, MismatchesSayWhatIsWanted) {
  ExtentSolver solver({{"F", 40}, {"M", 4}, {"D", 8}});
  EXPECT_EQ(solver.mismatch("F M*D", {40, 30}), "shape [40, 30] found, [F, M*D] = [40, 32] wanted");
  EXPECT_EQ(solver.mismatch("F M*D", {40}), "shape [40] found, [F, M*D] = [40, 32] wanted");
  EXPECT_EQ(solver.mismatch("M*X", {30}), "shape [30] found, [M*X] = [a multiple of 4] wanted");
}

TEST(Extents, ProductsThatOverflowMatchNothing) {
  const std::int64_t large = std::int64_t{1} << 40;
  ExtentSolver solver({{"A", large}, {"B", large}});
  EXPECT_FALSE(solver.learn("A*B*X", {1}));
  EXPECT_NE(solver.mismatch("A*B", {1}), "");
}

}  // namespace
}  // namespace deformdiff
