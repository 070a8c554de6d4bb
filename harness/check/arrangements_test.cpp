#include "check/arrangements.h"

#include <numeric>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Tensor counting(const Shape& shape) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 0);
  return int64_tensor(shape, values);
}

/// Whether one of the views undoes `view`, which makes `to` the other shape.
bool has_way_back(const Shape& to, const View& view, std::int64_t heads) {
  const Tensor ours = counting(to), theirs = rearranged(ours, view);
  for (const View& way : arrangements(theirs.shape(), to, heads)) {
    if (rearranged(theirs, way) == ours) return true;
  }
  return false;
}

TEST(Arrangements, OneWhereTheShapeLeavesNoDoubt) {
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{5, 2, 8}, Shape{2, 3, 4, 5, 6, 7}, Shape{1, 7, 1}}) {
    ASSERT_EQ(arrangements(shape, shape, 1).size(), 1U) << to_string(shape);
    EXPECT_EQ(rearranged(counting(shape), arrangements(shape, shape, 1).front()), counting(shape));
  }
  EXPECT_EQ(arrangements({2, 5, 8}, {5, 2, 8}, 1).size(), 1U);
  EXPECT_EQ(arrangements({5, 8}, {5, 1, 8}, 1).size(), 1U);
}

TEST(Arrangements, SeveralWhereAxesAreAsLongOrWereTakenTogether) {
  EXPECT_EQ(arrangements({2, 2, 8}, {2, 2, 8}, 1).size(), 2U);
  EXPECT_EQ(arrangements({10, 8}, {5, 2, 8}, 1).size(), 2U);
}

TEST(Arrangements, NoneOfAnotherNumberOfElements) {
  EXPECT_TRUE(arrangements({5, 2}, {5, 3}, 1).empty());
  EXPECT_EQ(arrangements({0, 2}, {2, 0}, 1).size(), 1U);
}

TEST(Arrangements, FindTheWayBack) {
  const Shape sequence{5, 3, 8};
  EXPECT_TRUE(has_way_back(sequence, {permute({1, 0, 2})}, 1));
  EXPECT_TRUE(has_way_back(sequence, {permute({1, 0, 2}), reshape({15, 8})}, 1));
  EXPECT_TRUE(has_way_back(sequence, {permute({1, 2, 0}), reshape({3, 8, 5, 1})}, 1));
  // By head: [B, heads, length, D], and with the first two axes taken together.
  const View by_head{reshape({5, 3, 4, 2}), permute({1, 2, 0, 3})};
  EXPECT_TRUE(has_way_back(sequence, by_head, 4));
  View joined = by_head;
  joined.push_back(reshape({12, 5, 2}));
  EXPECT_TRUE(has_way_back(sequence, joined, 4));
  // Scores [B*heads, Q, K] as [heads, B, K, Q].
  EXPECT_TRUE(has_way_back({6, 5, 7}, {reshape({2, 3, 5, 7}), permute({1, 0, 3, 2})}, 3));
}

}  // namespace
}  // namespace deformdiff
